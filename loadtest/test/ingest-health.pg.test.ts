/**
 * What the one process says of its ingest, from requests over the log to the answer: exact, nobody else's, still there after a restart. With a
 * clock ten times as fast.
 */
import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { ingestServerId } from '@minutely/schema/ingest-names'
import { type IngestAnswer, ingestAnswer } from '@minutely/schema/ingest-wire'
import { type StartedEmbedded, startEmbedded } from '../src/start-embedded.ts'

const speed = 10
const settings = { MINUTELY_INGEST_SOURCE: 'the-process' }

let folder: string
let minutely: StartedEmbedded
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'minutely-ingest-'))
  minutely = await startEmbedded(folder, settings, { speed, startMs: Date.now() })
})
after(async () => {
  await minutely.stop()
  await rm(folder, { recursive: true, force: true })
})

async function post(body: unknown): Promise<number> {
  const text = typeof body === 'string' ? body : JSON.stringify(body)
  const headers = { 'content-type': 'application/json' }
  return (await fetch(`${minutely.url}/v1/samples`, { method: 'POST', headers, body: text })).status
}

const row = (serverId: string, more: Record<string, unknown> = {}) => ({
  serverId,
  metricId: 'm',
  value: 1,
  ts: Math.floor(minutely.nowMs()),
  ...more,
})

/** Asks until it holds; the runner's timeout ends a vain wait. */
async function until(holds: (answer: IngestAnswer) => boolean): Promise<IngestAnswer> {
  for (;;) {
    const response = await fetch(`${minutely.url}/v1/ingest?from=-6h&stepMs=60000`)
    const answer = ingestAnswer.parse(await response.json())
    if (holds(answer)) return answer
    await delay(200)
  }
}

const total = (counts: readonly (number | null)[]): number => counts.reduce<number>((sum, one) => sum + (one ?? 0), 0)

describe('the ingest of one process', () => {
  it('is counted exactly, by reason and host, without what it stores of itself', { timeout: 120_000 }, async () => {
    assert.deepEqual((await until(() => true)).sources, [], 'nothing was sent, nothing is stored')
    assert.equal(
      await post({ samples: Array.from({ length: 40 }, (_, i) => row(`web-${i % 4}`, { metricId: `m${i}` })) }),
      202,
    )
    assert.equal(
      await post({ samples: [row('web-1'), row('web-1', { value: 'x' }), row('web-2', { ts: 5 }), row('x y')] }),
      202,
    )
    assert.equal(await post({ samples: [row('web-3', { value: null })] }), 422)
    assert.equal(await post({ samples: [row(ingestServerId)] }), 422)
    assert.equal(await post('{'), 400)
    const answer = await until(({ accepted }) => total(accepted) > 0)
    assert.equal(total(answer.accepted), 41)
    assert.deepEqual(answer.rejected.map(({ reason, total: count }) => `${reason} ${count}`).sort(), [
      'server-id-invalid 2',
      'time-too-old 1',
      'value-not-a-number 2',
    ])
    assert.deepEqual(answer.hosts.map(({ host, total: count }) => `${host} ${count}`).sort(), [
      '(no valid name) 2',
      'web-1 1',
      'web-2 1',
      'web-3 1',
    ])
    assert.deepEqual(
      answer.requests.map(({ error, total: count }) => `${error} ${count}`),
      ['body-unreadable 1'],
    )
    assert.deepEqual(
      answer.sources.map(({ source, accepted, rejected }) => [source, accepted, rejected]),
      [['the-process', 41, 5]],
    )
    assert.ok(answer.lag.partitionCount > 0)
  })

  it('goes on as 0 when nothing comes, and is still there after a restart', { timeout: 120_000 }, async () => {
    const quiet = await until(({ accepted }) => accepted.filter((count) => count === 0).length >= 2)
    assert.equal(total(quiet.accepted), 41, 'reports are not counted')
    assert.equal(await post({ samples: [row('web-1'), row('web-2')] }), 202)
    const startMs = minutely.nowMs()
    await minutely.stop()
    // What was counted when it stopped was stored then.
    minutely = await startEmbedded(folder, settings, { speed, startMs: startMs + 60_000 })
    const answer = await until(({ accepted }) => total(accepted) > 41)
    assert.equal(total(answer.accepted), 43)
    assert.deepEqual(answer.hosts.length, 4)
  })
})
