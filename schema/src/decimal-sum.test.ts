import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { mergeSums, sumRow } from './decimal-sum.ts'

/** Decimals as a host reports them; 60 of them stay below 2^51 in magnitude at 6 digits, the promised range. */
const decimal = fc
  .tuple(fc.integer({ min: -30_000_000, max: 30_000_000 }), fc.integer({ min: 0, max: 6 }))
  .map(([scaled, digits]) => scaled / 10 ** digits)
const decimals = fc.array(decimal, { minLength: 1, maxLength: 60 })

/** The true sum as a rational over 10^6, then the nearest double. */
function exactSum(values: readonly number[]): number {
  const total = values.reduce((sum, value) => sum + BigInt(Math.round(value * 1e6)), 0n)
  return Number(total) / 1e6
}

const rowSum = (values: readonly number[]): number => sumRow(Float64Array.from(values), 0, values.length)

test('0.1 and 0.2 and 0.3 add up to 0.6', () => {
  assert.equal(rowSum([0.1, 0.2, 0.3]), 0.6)
  assert.equal(mergeSums(0.1, 0.2), 0.3)
})

test('the sum of decimals is the double nearest to the true sum', () => {
  fc.assert(fc.property(decimals, (values) => assert.equal(rowSum(values), exactSum(values))))
})

test('any order and any split of decimals gives the same sum', () => {
  fc.assert(
    fc.property(decimals, fc.infiniteStream(fc.nat()), (values, random) => {
      const shuffled = values
        .map((value) => ({ value, key: random.next().value as number }))
        .sort((a, b) => a.key - b.key)
        .map(({ value }) => value)
      const cut = (random.next().value as number) % (shuffled.length + 1)
      const parts = [shuffled.slice(0, cut), shuffled.slice(cut)].filter((part) => part.length > 0).map(rowSum)
      const merged = parts.length === 2 ? mergeSums(parts[0] as number, parts[1] as number) : (parts[0] as number)
      assert.equal(merged, rowSum(values))
    }),
  )
})

test('other doubles are added to within 1e-12, gaps are skipped', () => {
  const values = fc.array(fc.double({ min: -1e6, max: 1e6, noNaN: true }), { minLength: 1, maxLength: 60 })
  fc.assert(
    fc.property(values, (row) => {
      const magnitude = row.reduce((sum, value) => sum + Math.abs(value), 0)
      const naive = row.reduce((sum, value) => sum + value, 0)
      assert.ok(Math.abs(rowSum(row.flatMap((value) => [Number.NaN, value])) - naive) <= magnitude * 1e-12)
    }),
  )
})

test('sums past the exact range fall back to floats instead of wrapping', () => {
  assert.equal(rowSum([2 ** 53, 2 ** 53, 2]), 2 ** 54 + 2)
  assert.equal(rowSum([1e290, 1e290]), 2e290)
  assert.equal(mergeSums(1e15 + 0.5, 1e15 + 0.25), 2e15 + 0.75)
})
