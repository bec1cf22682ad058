/** What the log says at start about the collector's address: good news, or what is wrong with which setting. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { VirtualClock } from '@minutely/lib/clock'
import pino from 'pino'
import { createCollectorClient } from './collector-client.ts'
import { probeCollector } from './collector-probe.ts'
import { answer, createScriptedCollector, hang } from './scripted-collector.ts'

interface Line {
  readonly level: number
  readonly msg: string
}
const [info, warn] = [30, 40]

async function setUp(health: (response: never) => void, { isUp = true } = {}) {
  const collector = await createScriptedCollector([], { health: health as never })
  if (!isUp) await collector.close()
  const clock = new VirtualClock(0)
  const client = createCollectorClient(collector.url, { clock })
  const lines: Line[] = []
  const log = pino({ level: 'info' }, { write: (line: string) => void lines.push(JSON.parse(line)) })
  const stopping = new AbortController()
  const probed = probeCollector(client, { collectorUrl: collector.url, log, signal: stopping.signal })
  const close = async () => {
    client.close()
    if (isUp) await collector.close()
  }
  return { collector, clock, probed, lines, stopping, close }
}

describe('probeCollector', () => {
  it('says that the collector answers', async () => {
    const { collector, probed, lines, clock, close } = await setUp(answer(200, { status: 'ok' }))
    await probed
    assert.deepEqual([collector.healthChecks, collector.requests.length, clock.pendingCount], [1, 0, 0])
    assert.equal(lines.length, 1)
    assert.equal(lines[0]?.level, info)
    assert.match(lines[0]?.msg ?? '', /the collector answers/)
    await close()
  })

  it('names the setting when nothing listens there', async () => {
    const { collector, probed, lines, close } = await setUp(answer(200, {}), { isUp: false })
    await probed
    assert.equal(lines.length, 1)
    assert.equal(lines[0]?.level, warn)
    assert.match(lines[0]?.msg ?? '', new RegExp(`${collector.url}/healthz cannot be reached: .*ECONNREFUSED`))
    assert.match(lines[0]?.msg ?? '', /MINUTELY_COLLECTOR_URL/)
    await close()
  })

  it('names the setting when something else answers there', async () => {
    const { probed, lines, close } = await setUp(answer(404, 'nginx'))
    await probed
    assert.equal(lines[0]?.level, warn)
    assert.match(lines[0]?.msg ?? '', /healthz answered 404: .*nginx.*MINUTELY_COLLECTOR_URL/)
    await close()
  })

  it('waits 3 s, no longer', async () => {
    const { collector, clock, probed, lines, close } = await setUp(hang as never)
    while (collector.healthChecks === 0) await turn()
    await clock.advance(2999)
    assert.equal(lines.length, 0)
    await clock.advance(1)
    await probed
    assert.equal(lines[0]?.level, warn)
    assert.match(lines[0]?.msg ?? '', /did not answer in 3000 ms.*MINUTELY_COLLECTOR_URL/)
    await close()
  })

  it('ends without a word when the agent stops', async () => {
    const { collector, clock, probed, lines, stopping, close } = await setUp(hang as never)
    while (collector.healthChecks === 0) await turn()
    stopping.abort()
    await probed
    assert.deepEqual([lines.length, clock.pendingCount], [0, 0])
    await close()
  })
})
