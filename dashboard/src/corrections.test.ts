/** Only what was final and is different counts, whichever way the window moved meanwhile. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { noCorrections, withCorrections } from './corrections.ts'
import type { RangeColumns } from './range-columns.ts'
import { minuteMs } from './time-range.ts'

function rangeOf(fromMinute: number, avg: (number | null)[], completeMinute: number): RangeColumns {
  const slots = { min: avg, max: avg, avg, sum: avg, count: avg.map((value) => (value === null ? null : 1)) }
  const startMs = fromMinute * minuteMs
  return {
    startMs,
    endMs: startMs + avg.length * minuteMs,
    stepMs: minuteMs,
    completeThroughMs: completeMinute * minuteMs,
    columns: [{ key: 'a', metricId: 'a', labels: {}, ...slots }],
    tailStartMs: 0,
    tail: new Map(),
  }
}

const minutes = (corrections: ReturnType<typeof withCorrections>) =>
  [...(corrections.get('a') ?? [])].map((ms) => ms / minuteMs)

test('a final step that changed is a correction, an open one that grew is not', () => {
  const before = rangeOf(0, [1, null, 3, 4, 5], 4)
  const after = rangeOf(1, [2, 3, 4.5, 6, 7], 6)
  const found = withCorrections(noCorrections, { before, after })
  assert.deepEqual(minutes(found), [1, 3], 'a gap that was filled, and a value that changed')
  assert.equal(withCorrections(found, { before: after, after }), found)
  const again = withCorrections(found, { before: after, after: rangeOf(1, [2, 3.5, 4.5, 6, 7], 6) })
  assert.deepEqual(minutes(again).sort(), [1, 2, 3])
})

test('another step compares with nothing, a last digit is no change', () => {
  const before = rangeOf(0, [0.1 + 0.2], 1)
  assert.equal(withCorrections(noCorrections, { before, after: { ...before, stepMs: 2 * minuteMs } }), noCorrections)
  const column = { ...before.columns[0], avg: [0.3] } as (typeof before.columns)[number]
  assert.equal(withCorrections(noCorrections, { before, after: { ...before, columns: [column] } }), noCorrections)
})
