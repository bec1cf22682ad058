/** Distributions: the same for any order, against counting one by one. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { type DistributionColumns, GivenDistribution, NestingDistribution } from './distribution.ts'

const stepCount = 3
const value = fc.oneof(
  fc.integer({ min: -50, max: 50 }),
  fc.double({ min: 0, max: 1, noNaN: true }),
  fc.double({ min: -1e290, max: 1e290, noNaN: true }),
  fc.constantFrom(0, -0, 1e-300, -5e-324, 1e290, -1e290, 0.1),
)
const entries = fc.array(fc.tuple(fc.nat(stepCount - 1), value), { maxLength: 40 })

function assertCounts({ bounds, counts, below, above }: DistributionColumns, values: readonly [number, number][]) {
  for (let step = 0; step < stepCount; step++) {
    const here = values.filter(([at]) => at === step).map(([, value]) => value)
    const within = (low: number, high: number) => here.filter((value) => value >= low && value < high).length
    assert.equal(below[step], within(-Infinity, bounds[0] ?? -Infinity))
    assert.equal(above[step], bounds.length === 0 ? 0 : within(bounds.at(-1) as number, Infinity))
    for (let bucket = 0; bucket < counts.length; bucket++) {
      assert.equal(counts[bucket]?.[step], within(bounds[bucket] as number, bounds[bucket + 1] as number))
    }
  }
}

describe('a distribution without given bounds', () => {
  it('counts every value in its bucket, in at most so many, and the same in any order', () => {
    fc.assert(
      fc.property(entries, fc.integer({ min: 2, max: 20 }), fc.infiniteStream(fc.nat()), (values, bucketsMax, keys) => {
        const of = (list: readonly [number, number][]): DistributionColumns => {
          const distribution = new NestingDistribution(stepCount, bucketsMax)
          for (const [step, value] of list) distribution.add(step, value)
          return distribution.columns()
        }
        const columns = of(values)
        assert.ok(columns.counts.length <= bucketsMax)
        assertCounts(columns, values)
        assert.deepEqual([columns.below, columns.above], [Array(stepCount).fill(0), Array(stepCount).fill(0)])
        const shuffled = values
          .map((entry) => ({ entry, key: keys.next().value ?? 0 }))
          .sort((a, b) => a.key - b.key)
          .map(({ entry }) => entry)
        assert.deepEqual(of(shuffled), columns)
      }),
      { numRuns: 2000 },
    )
  })

  it('has bounds that are multiples of a power of two', () => {
    const distribution = new NestingDistribution(1, 4)
    for (const value of [4, 5, 6, 7.9]) distribution.add(0, value)
    assert.deepEqual(distribution.columns().bounds, [4, 5, 6, 7, 8])
    distribution.add(0, 9)
    assert.deepEqual(distribution.columns(), { bounds: [4, 6, 8, 10], counts: [[2], [2], [1]], below: [0], above: [0] })
  })
})

describe('a distribution over given bounds', () => {
  it('counts every value once', () => {
    const bounds = fc.uniqueArray(fc.integer({ min: -20, max: 20 }), { minLength: 2, maxLength: 8 })
    fc.assert(
      fc.property(entries, bounds, (values, some) => {
        const distribution = new GivenDistribution(
          stepCount,
          some.toSorted((a, b) => a - b),
        )
        for (const [step, value] of values) distribution.add(step, value)
        assertCounts(distribution.columns(), values)
      }),
      { numRuns: 1000 },
    )
  })
})
