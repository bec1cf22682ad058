import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { StoredMinute } from '@minutely/schema/minute-block/minute-block'
import fc from 'fast-check'
import { mergeRow } from './merge-minute.ts'
import { modelRow, rowInWords } from './minute-model.ts'
import { rollUp } from './roll-up.ts'

type Seconds = ReadonlyMap<number, number>

function cells(seconds: Seconds): Float64Array {
  const values = new Float64Array(60).fill(Number.NaN)
  for (const [second, value] of seconds) values[second] = value
  return values
}

function rowOf(seconds: Seconds): StoredMinute {
  const { seenLow, seenHigh, min, max, sum } = rollUp({ rowCount: 1, values: cells(seconds) })
  return {
    low: seenLow[0] as number,
    high: seenHigh[0] as number,
    min: min[0] as number,
    max: max[0] as number,
    sum: sum[0] as number,
  }
}

const merge = (stored: StoredMinute, part: Seconds): StoredMinute => mergeRow(stored, rowOf(part), cells(part))
const mapOf = (...pairs: [number, number][]): Seconds => new Map(pairs)

test('disjoint seconds are combined', () => {
  const merged = merge(rowOf(mapOf([0, 0.1], [31, 5])), mapOf([29, 0.2], [30, -1]))
  assert.deepEqual(rowInWords(merged), modelRow(mapOf([0, 0.1], [31, 5], [29, 0.2], [30, -1])))
})

test('a subset, and the same again, change nothing: the very same row comes back', () => {
  const stored = rowOf(mapOf([0, 1], [30, 2], [59, 3]))
  assert.equal(merge(stored, mapOf([30, 2])), stored)
  assert.equal(merge(stored, mapOf([0, 1], [30, 2], [59, 3])), stored)
})

test('a superset replaces, and is summed in one go', () => {
  // Not decimals: added in another order they would differ in the last bit.
  const values = Array.from({ length: 60 }, (_, second) => [second, Math.PI * 10 ** (second % 7)] as [number, number])
  const whole = new Map(values)
  const part = new Map(values.filter(([second]) => second % 3 === 0))
  assert.deepEqual(merge(rowOf(part), whole), rowOf(whole))
})

test('partial overlap adds only the new seconds', () => {
  const merged = merge(rowOf(mapOf([1, 1], [2, 2])), mapOf([2, 2], [3, 3]))
  assert.deepEqual(rowInWords(merged), modelRow(mapOf([1, 1], [2, 2], [3, 3])))
})

test('the first value of a second wins, also against a superset', () => {
  const first = rowOf(mapOf([5, 1]))
  assert.equal(merge(first, mapOf([5, 2])), first)
  assert.deepEqual(rowInWords(merge(first, mapOf([5, 2], [6, 3]))), modelRow(mapOf([5, 1], [6, 3])))
})

const values = fc.uniqueArray(
  fc.tuple(
    fc.nat(59),
    fc.integer({ min: -1e9, max: 1e9 }).map((scaled) => scaled / 1_000),
  ),
  { minLength: 1, maxLength: 60, selector: ([second]) => second },
)

test('any parts that overlap, repeat and come in any order give the row of the whole', () => {
  fc.assert(
    fc.property(
      values.chain((whole) =>
        fc.record({
          whole: fc.constant(whole),
          parts: fc.array(fc.subarray(whole, { minLength: 1 }), { minLength: 1, maxLength: 8 }),
          at: fc.nat(8),
        }),
      ),
      ({ whole, parts, at }) => {
        // One part has whatever no other has, somewhere among them.
        const covered = new Set(parts.flat().map(([second]) => second))
        const rest = whole.filter(([second]) => !covered.has(second))
        const all = rest.length === 0 ? parts : parts.toSpliced(at, 0, rest)
        const [first, ...others] = all.map((part) => new Map(part))
        assert.ok(first)
        const merged = others.reduce((stored, part) => merge(stored, part), rowOf(first))
        assert.deepEqual(merged, rowOf(new Map(whole)))
        assert.deepEqual(rowInWords(merged), modelRow(new Map(whole)))
      },
    ),
    { numRuns: 1_000 },
  )
})

test('other doubles: seen, min and max are exact, sums to 1e-12 of the magnitudes', () => {
  const doubles = fc.uniqueArray(fc.tuple(fc.nat(59), fc.double({ min: -1e6, max: 1e6, noNaN: true })), {
    minLength: 2,
    maxLength: 60,
    selector: ([second]) => second,
  })
  fc.assert(
    fc.property(doubles, fc.nat(60), (whole, at) => {
      const cut = 1 + (at % (whole.length - 1))
      const merged = merge(rowOf(new Map(whole.slice(0, cut))), new Map(whole.slice(cut)))
      const { sum, ...rest } = rowOf(new Map(whole))
      const { sum: mergedSum, ...mergedRest } = merged
      // == on purpose: a double of the generator may be -0, which no window ever holds.
      assert.deepEqual(
        Object.values(mergedRest).map((n) => n + 0),
        Object.values(rest).map((n) => n + 0),
      )
      const magnitude = whole.reduce((total, [, value]) => total + Math.abs(value), 0)
      assert.ok(Math.abs(mergedSum - sum) <= magnitude * 1e-12)
    }),
  )
})
