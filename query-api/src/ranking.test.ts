/** The first few of many values, against sorting them all. */
import assert from 'node:assert/strict'
import { it } from 'node:test'
import fc from 'fast-check'
import { Ranking } from './ranking.ts'

it('is what sorting all values gives, equal ones in their order (property)', () => {
  const values = fc.array(fc.integer({ min: -5, max: 5 }), { maxLength: 60 })
  fc.assert(
    fc.property(values, fc.nat(20), fc.constantFrom('top' as const, 'bottom' as const), (all, limit, order) => {
      const ranking = new Ranking(2, { limit, order })
      all.forEach((value, unit) => void ranking.add(1, unit, value))
      const sorted = all
        .map((value, unit) => ({ unit, value }))
        .sort((a, b) => (order === 'top' ? b.value - a.value : a.value - b.value) || a.unit - b.unit)
      assert.deepEqual(ranking.of(1), sorted.slice(0, limit))
      assert.deepEqual(ranking.of(0), [])
    }),
  )
})
