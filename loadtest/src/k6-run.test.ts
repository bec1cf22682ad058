import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { zstdDecompressSync } from 'node:zlib'
import { decodeSampleBatch } from '@minutely/schema/sample-codec'
import { GeneratedFleet } from './generated-fleet.ts'
import { findK6 } from './k6-binary.ts'
import { figuresOf, runK6 } from './k6-run.ts'
import { cellMs } from './load-plan.ts'
import { writeBodies } from './prepared-bodies.ts'

const k6 = findK6()
const needsK6 = { skip: k6 === undefined && 'no k6: npm run loadtest installs it where there is Go; or set K6_BIN' }
const fleet = new GeneratedFleet({ hostCount: 40, metricCount: 10, seed: 2 })
const accepted = { status: 202, body: { accepted: 150, rejected: [] } }

interface Received {
  readonly serverId: string
  readonly startMs: number
}

interface Answer {
  readonly status: number
  readonly body: unknown
}

/** A collector that answers as it is told and remembers what it was sent. */
async function startCollector(t: TestContext, answerTo: (received: Received, earlier: number) => Answer) {
  const received: Received[] = []
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = []
    for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk)
    const { serverId, blocks } = decodeSampleBatch(zstdDecompressSync(Buffer.concat(chunks)))
    const batch = { serverId, startMs: blocks[0]?.startMs ?? 0 }
    const earlier = received.filter((one) => one.serverId === serverId && one.startMs === batch.startMs).length
    received.push(batch)
    const { status, body } = answerTo(batch, earlier)
    response.writeHead(status, { 'content-type': 'application/json', 'retry-after': '1' }).end(JSON.stringify(body))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.after(() => {
    server.close()
    server.closeAllConnections()
  })
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, received }
}

/** Two cells that are due already, so that k6 sends all at once. */
async function runAgainst(t: TestContext, collectors: readonly string[]) {
  const folder = mkdtempSync(join(tmpdir(), 'minutely-k6-'))
  t.after(() => rmSync(folder, { recursive: true }))
  const startMs = Math.floor(Date.now() / cellMs) * cellMs - 3 * cellMs
  const plan = { fleet, startMs, cellCount: 2, warmUpCells: 0, workers: 3 }
  const bodiesFile = join(folder, 'bodies.bin')
  const chunks = writeBodies(bodiesFile, plan)
  return { startMs, figures: await runK6({ k6: k6 ?? '', plan, chunks, bodiesFile, collectors, folder }) }
}

test('every batch reaches one collector, always the same for an agent', needsK6, async (t) => {
  const collectors = [await startCollector(t, () => accepted), await startCollector(t, () => accepted)]
  const { startMs, figures } = await runAgainst(
    t,
    collectors.map(({ url }) => url),
  )
  const agentsOf = collectors.map(({ received }) => [...new Set(received.map(({ serverId }) => serverId))])
  assert.deepEqual(
    agentsOf.map(({ length }) => length),
    [20, 20],
  )
  assert.equal(new Set(agentsOf.flat()).size, 40)
  const all = new Set(collectors.flatMap(({ received }) => received.map((one) => `${one.serverId} ${one.startMs}`)))
  const expected = Array.from({ length: 40 }, (_, agent) =>
    [0, cellMs].map((offsetMs) => `${fleet.serverId(agent)} ${startMs + offsetMs}`),
  )
  assert.deepEqual(all, new Set(expected.flat()))
  const { requests, accepted: batches, failed, sentAgain, samplesAccepted, samplesRejected, answers } = figures
  assert.deepEqual(
    { requests, batches, failed, sentAgain, samplesAccepted, samplesRejected, answers },
    {
      requests: 80,
      batches: 80,
      failed: 0,
      sentAgain: 0,
      samplesAccepted: 12_000,
      samplesRejected: 0,
      answers: { '202': 80 },
    },
  )
  assert.ok(figures.latencyMs.max > 0 && figures.sentLateMs.max > 0)
})

test('503 is sent again after Retry-After; 400 is a failure; a rejected sample is counted', needsK6, async (t) => {
  const overloaded = { status: 503, body: { error: 'overloaded', message: 'later' } }
  const unreadable = { status: 400, body: { error: 'unreadable', message: 'no' } }
  const oneBad = {
    status: 202,
    body: { accepted: 149, rejected: [{ metricId: 'm', reason: 'r', count: 1, detail: 'd' }] },
  }
  const collector = await startCollector(t, ({ serverId }, earlier) => {
    if (serverId === fleet.serverId(7)) return earlier === 0 ? overloaded : accepted
    if (serverId === fleet.serverId(8)) return unreadable
    return serverId === fleet.serverId(9) ? oneBad : accepted
  })
  const { figures } = await runAgainst(t, [collector.url])
  assert.deepEqual(figures.answers, { '202': 78, '503': 2, other: 2 })
  const { accepted: batches, failed, sentAgain, samplesAccepted, samplesRejected } = figures
  assert.deepEqual({ batches, failed, sentAgain }, { batches: 78, failed: 2, sentAgain: 2 })
  assert.deepEqual({ samplesAccepted, samplesRejected }, { samplesAccepted: 78 * 150 - 2, samplesRejected: 2 })
})

test('counters that never counted are zero', () => {
  const figures = figuresOf({ http_reqs: { values: { count: 3 } } })
  assert.equal(figures.requests, 3)
  assert.equal(figures.failed, 0)
  assert.deepEqual(figures.answers, {})
})
