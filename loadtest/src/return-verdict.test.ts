import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readReturnOptions } from './return-options.ts'
import { returnProblems, returnReport } from './return-verdict.ts'

const totals = {
  ...{ acknowledged: 1_020, refused: 0, unknown: 0, failedTries: { 503: 7 } },
  ...{ troubledSeconds: 2, unavailableSeconds: 1 },
}
const returned = {
  ...{ agents: 10, backlogBatches: 1_000, drainedMs: 4_000, totals, problems: [] },
  liveDelaysMs: Array.from({ length: 100 }, (_, index) => 100 * (index + 1)),
}

test('the report says how fast the backlog went and how long live batches took', () => {
  const report = returnReport(returned)
  assert.match(report, /taken in 4\.0 s, 250 batches a second/)
  assert.match(report, /100 batches, from due to acknowledged p50 5\.0 s, p99 9\.9 s, at most 10\.0 s/)
  assert.match(report, /503 7; none taken in 1 s/)
  assert.deepEqual(returnProblems(returned), [])
})

test('live batches that were held up, or none, or batches that nobody took are problems', () => {
  const slow = returned.liveDelaysMs.map((delayMs) => delayMs * 2)
  assert.match(returnProblems({ ...returned, liveDelaysMs: slow }).join(), /19800 ms \(p99\), 15000 ms may be/)
  assert.equal(returnProblems({ ...returned, liveDelaysMs: [] }).length, 1)
  assert.match(returnProblems({ ...returned, totals: { ...totals, unknown: 3 } }).join(), /3 batches were not taken/)
  assert.deepEqual(returnProblems({ ...returned, problems: ['lost'] }), ['lost'])
})

test('a command line with what is no number says so, with the usage', () => {
  assert.deepEqual(readReturnOptions([]), { agents: 1_000, backlogMinutes: 60, metrics: 10, seed: 1 })
  assert.throws(() => readReturnOptions(['--agents', 'many']), /--agents many: must be a whole number/)
})
