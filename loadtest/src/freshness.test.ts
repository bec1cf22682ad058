import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type TestContext, test } from 'node:test'
import { minuteOf } from './check-fleet.ts'
import { FreshnessReader } from './freshness.ts'
import { GeneratedFleet } from './generated-fleet.ts'

const fleet = new GeneratedFleet({ hostCount: 10, metricCount: 2, seed: 3 })
const minuteMs = Math.floor(Date.now() / 60_000) * 60_000 - 120_000

/** What a query API answers about a minute of an agent; `lacking` sees one second less. */
function answerOf(host: number, { completeThroughMs, lacking = 0 }: { completeThroughMs: number; lacking?: number }) {
  const series = fleet.series.map((ref, metric) => {
    const [min, max, sum, count = 0] = minuteOf(fleet, { host, metric, minuteMs })
    return { ...ref, min: [min], max: [max], sum: [sum], count: [count - lacking] }
  })
  return { startMs: minuteMs, stepMs: 60_000, completeThroughMs, series }
}

/** Answers read after read of each agent by the script; its last line goes on for ever. */
async function startQueryApi(t: TestContext, script: (host: number) => readonly unknown[]) {
  const reads = new Map<number, number>()
  const server = createServer((request, response) => {
    const host = Number(/host-(\d+)/.exec(request.url ?? '')?.[1])
    const lines = script(host)
    const read = reads.get(host) ?? 0
    reads.set(host, read + 1)
    response.end(JSON.stringify(lines[Math.min(read, lines.length - 1)]))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.after(() => server.close())
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, reads }
}

const closed = minuteMs + 60_000

test('a minute counts as readable when it is complete and exact, for each agent', async (t) => {
  const api = await startQueryApi(t, (host) =>
    host === 4
      ? [
          answerOf(host, { completeThroughMs: closed - 60_000 }),
          answerOf(host, { completeThroughMs: closed, lacking: 1 }),
          answerOf(host, { completeThroughMs: closed }),
        ]
      : [answerOf(host, { completeThroughMs: closed })],
  )
  const reader = new FreshnessReader({
    queries: [api.url],
    fleet,
    agents: [4, 7],
    latenessMs: 10_000,
    giveUpMs: 600_000,
  })
  const { delaysMs, unreadable } = await reader.watch(minuteMs)
  assert.deepEqual(unreadable, [])
  assert.equal(delaysMs.length, 2)
  const [first = 0, last = 0] = delaysMs
  assert.ok(first > 0 && last > first, `${delaysMs}: agent 7 before agent 4`)
  // Agent 7 is not asked while the minute is open for agent 4, and only once after.
  assert.deepEqual([api.reads.get(4), api.reads.get(7)], [3, 1])
  assert.equal(reader.latenciesMs.length, 4)
})

test('what is never right is given up, and said', async (t) => {
  const api = await startQueryApi(t, (host) => [
    answerOf(host, { completeThroughMs: closed, lacking: host === 4 ? 1 : 0 }),
  ])
  const sinceDueMs = Date.now() - closed
  const reader = new FreshnessReader({
    queries: [api.url],
    fleet,
    agents: [4, 7],
    latenessMs: 0,
    giveUpMs: sinceDueMs + 1_000,
  })
  const { delaysMs, unreadable } = await reader.watch(minuteMs)
  assert.equal(delaysMs.length, 1)
  assert.equal(unreadable.length, 1)
  assert.match(unreadable[0] ?? '', /^agent 4: host-00004 app\.constant\.m0000 .* instead of .*,60$/)
})
