import assert from 'node:assert/strict'
import { test } from 'node:test'
import { chaosReport } from './chaos-report.ts'
import { type ChaosState, chaosTable } from './chaos-table.ts'
import { Tally } from './tally.ts'

const minute = Date.parse('2026-03-01T10:00:00Z')
const totals = {
  ...{ acknowledged: 1_200, refused: 0, unknown: 3, failedTries: { 503: 7 } },
  ...{ troubledSeconds: 9, unavailableSeconds: 4 },
}

function tally(): Tally {
  const found = new Tally()
  found.fault('redis-gone')
  found.fault('broker-killed')
  found.fault('redis-gone')
  found.add('kills', 3)
  found.add('failedStarts')
  return found
}

test('the table says what is down, what was done and what it cost', () => {
  const state: ChaosState = {
    phase: 'breaking',
    nowMs: minute + 75_000,
    startedMs: minute,
    endsMs: minute + 120_000,
    parts: [
      { name: 'collector-1', isUp: true },
      { name: 'kafka', isUp: false },
    ],
    tally: tally(),
    totals,
    samplesPerBatch: 150,
    completeThroughMs: minute + 60_000,
    problemCount: 0,
  }
  assert.deepEqual(chaosTable(state), [
    'time      1:15 of 2:00, complete through 10:01:00',
    'up        1 of 2; down: kafka',
    'faults    3: kills 3, failed starts 1',
    'samples   180,000 acknowledged, 3 batches on their way',
    'refusals  9 s in which a collector refused or did not answer, 4 s in which none took anything',
    'problems  0',
  ])
  assert.equal(chaosTable({ ...state, phase: 'comparing' })[0], 'time      comparing, complete through 10:01:00')
})

test('the report has what was done, what was found and every problem', () => {
  const result = {
    ...{ form: 'distributed', seed: 7, hosts: 40, metrics: 10, startedMs: minute, loadMs: 120_000 },
    ...{ tally: tally(), totals, samplesPerBatch: 150, strangeHosts: 2 },
    caughtUp: [{ behindMs: 660_000, tookMs: 90_000, speed: 7.67 }],
    check: { seriesMinutes: 800, samples: 180_000, forgottenBatches: 2, problems: [] },
    sealings: { sealed: 3, resealed: 40, dropped: 5 },
    watch: {
      ...{ answers: 900, finalSeriesMinutes: 4_000, failures: 5, lastFailure: undefined },
      ...{ problems: [], completeThroughMs: minute, slowestLagMs: 91_300 },
    },
  }
  const head = { commit: 'abc', command: 'npm run chaos -- --seed 7', nodeVersion: 'v24.0.0', cores: 2 }
  const good = chaosReport({ ...result, problems: [] }, head)
  for (const row of [
    '| samples acknowledged | 180,000 |',
    '| samples found in minutes | 180,000 |',
    '| hours sealed, and sealed again with late data | 3, 40 |',
    '| hours dropped by retention | 5 |',
    '| kills | 3 |',
    '| flushes | 0 |',
    '| readers asked | 905 times: 900 answered, 5 while a query API was down |',
    '| final series-minutes judged (promise 4) | 4,000 |',
    '`npm run chaos -- --seed 7` at commit abc, Node v24.0.0, 2 cores.',
    'in 90.0 s: 7.7 log-minutes a minute |',
  ])
    assert.ok(good.includes(row), row)
  assert.match(good, /\*\*Exact\.\*\*/)
  assert.match(good, /\| broker-killed \| 1 \|\n\| redis-gone \| 2 \|/)
  assert.doesNotMatch(good, /## Problems/)
  const bad = chaosReport({ ...result, check: undefined, problems: ['host-00001 lost a second'] }, head)
  assert.match(bad, /\*\*Not finished, 1 problem\.\*\*/)
  const embedded = chaosReport({ ...result, form: 'embedded', problems: [] }, head)
  assert.doesNotMatch(embedded, /\| (pauses|flushes|rewinds) \|/)
  assert.match(bad, /## Problems\n\n- host-00001 lost a second/)
  assert.match(bad, /found in minutes \| not checked/)
})
