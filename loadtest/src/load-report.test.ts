import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type LoadResult, loadReport } from './load-report.ts'

const even = { p50: 110, p95: 180, p99: 250, max: 400 }
const good: LoadResult = {
  agents: 10,
  metrics: 2,
  minutes: 1,
  warmUpMinutes: 0,
  targets: 'a test',
  expected: { batches: 40, samples: 1_200 },
  k6: {
    requests: 41,
    requestsMeasured: 40,
    requestsNotAccepted: 0,
    accepted: 40,
    failed: 0,
    sentAgain: 1,
    samplesAccepted: 1_200,
    samplesRejected: 0,
    answers: { '202': 40, '503': 1 },
    latencyMs: even,
    sentLateMs: { p50: 0, p95: 1, p99: 3, max: 20 },
  },
  freshness: [{ minuteMs: 0, delaysMs: [300, 900, 15_000], unreadable: [] }],
  readLatenciesMs: [4, 5, 6],
  sampledAgents: 3,
  checkedMinutes: 6,
  problems: [],
  processes: [{ name: 'k6', cpuS: 12, residentBytes: undefined }],
  measuredS: 60,
  cores: 2,
}

test('a run within all limits passes, and says what it measured', () => {
  const { text, failures } = loadReport(good)
  assert.deepEqual(failures, [])
  assert.match(text, /Load test: passed/)
  assert.match(text, /\| answers \| 40 x 202, 1 x 503 \|/)
  assert.match(text, /\| request p50 \/ p95 \/ p99 \/ max, ms \| 110 \/ 180 \/ 250 \/ 400 \| p99 1000 \|/)
  assert.match(text, /s \| 0\.9 \/ 15\.0 \/ 15\.0 \| max 15 \|/)
  assert.match(text, /\| k6 \| 12\.0 \| 10 % \|/)
})

const faults: [string, Partial<LoadResult>, RegExp][] = [
  ['a refused request', { k6: { ...good.k6, requestsNotAccepted: 1 } }, /1 requests were answered otherwise than 202/],
  ['a failed batch', { k6: { ...good.k6, accepted: 39, failed: 1 } }, /1 batches were never accepted/],
  ['a batch that was not sent', { k6: { ...good.k6, accepted: 39 } }, /1 batches were not sent/],
  ['a rejected sample', { k6: { ...good.k6, samplesRejected: 3 } }, /3 samples were rejected/],
  ['too few accepted samples', { k6: { ...good.k6, samplesAccepted: 1_199 } }, /1 samples were not accepted/],
  ['slow answers', { k6: { ...good.k6, latencyMs: { ...even, p99: 1_000 } } }, /p99 of requests is 1000 ms/],
  ['late sending', { k6: { ...good.k6, sentLateMs: { ...even, p99: 2_000 } } }, /k6 sent late/],
  [
    'a late minute',
    { freshness: [{ minuteMs: 0, delaysMs: [15_100], unreadable: [] }] },
    /readable only 15\.1 s after end \+ lateness/,
  ],
  [
    'a minute that never came',
    { freshness: [{ minuteMs: 0, delaysMs: [1, 2], unreadable: ['agent 7: why'] }] },
    /not readable in time, the first: agent 7: why/,
  ],
  ['a wrong minute', { problems: ['host-1 m 00:00'] }, /1 series-minutes are wrong, the first: host-1 m 00:00/],
]
for (const [name, change, reason] of faults) {
  test(`${name} fails the run, with that reason alone`, () => {
    const { text, failures } = loadReport({ ...good, ...change })
    assert.equal(failures.length, 1, failures.join('\n'))
    assert.match(failures[0] ?? '', reason)
    assert.match(text, /FAILED/)
  })
}
