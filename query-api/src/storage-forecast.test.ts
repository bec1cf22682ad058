/** The forecast of what the disk holds, on growths whose lines can be drawn by hand. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { fullAtMs, settledBytesOf, settlesInDays } from './storage-forecast.ts'

const dayMs = 86_400_000
const week = { storedBytes: 200, perDayBytes: 100, keptDays: 7 }
const year = { storedBytes: 10, perDayBytes: 10, keptDays: 365 }

test('a tier settles when its retention is full, one that holds more is settled', () => {
  assert.deepEqual([settledBytesOf(week), settlesInDays(week)], [700, 5])
  assert.equal(settlesInDays({ ...week, storedBytes: 900 }), 0)
  assert.equal(settlesInDays({ storedBytes: 0, perDayBytes: 0, keptDays: 7 }), 0)
})

test('the disk is full where the sum of the lines meets what is free', () => {
  assert.equal(fullAtMs([week, year], 110, 0), dayMs)
  // After 5 days 550 are taken; then 10 a day.
  assert.equal(fullAtMs([week, year], 550, 0), 5 * dayMs)
  assert.equal(fullAtMs([year, week], 600, 0), 10 * dayMs)
  assert.equal(fullAtMs([week, year], 500 + 3_640 + 1, 7), null)
  assert.equal(fullAtMs([week], 0, 7), 7)
  assert.equal(fullAtMs([], 5, 7), null)
})

test('at the instant it names, that much has grown (property)', () => {
  const growth = fc.record({
    storedBytes: fc.nat(1e6),
    perDayBytes: fc.nat(1e5),
    keptDays: fc.integer({ min: 1, max: 500 }),
  })
  fc.assert(
    fc.property(fc.array(growth, { maxLength: 6 }), fc.integer({ min: 1, max: 1e7 }), (growths, spare) => {
      const at = fullAtMs(growths, spare, 0)
      const grown = (days: number): number =>
        growths.reduce((sum, one) => sum + one.perDayBytes * Math.min(days, settlesInDays(one)), 0)
      if (at === null) assert.ok(grown(1e9) < spare)
      else assert.ok(Math.abs(grown(at / dayMs) - spare) <= 1 + 0.01 * spare)
    }),
  )
})
