/** A series' points become a set: in the order of time, the first value of a second, every other one counted. */
import assert from 'node:assert/strict'
import { it } from 'node:test'
import fc from 'fast-check'
import { PointRuns } from './point-runs.ts'

it('points in any order are a set of seconds, the first of which wins (property)', () => {
  const first = fc.constantFrom(0, 1_800_000_000)
  const point = fc.tuple(fc.oneof(fc.nat(40), fc.nat(2_000_000_000)), fc.nat(3))
  fc.assert(
    fc.property(first, fc.array(point, { maxLength: 300 }), fc.boolean(), (base, sent, inOrder) => {
      const points = sent.map(([second, value]) => ({ second: base + second, value }))
      if (inOrder) points.sort((a, b) => a.second - b.second)
      const runs = new PointRuns()
      const wanted = new Map<number, number>()
      const counts = { duplicate: 0, conflict: 0 }
      for (const { second, value } of points) {
        runs.add(second, value)
        const known = wanted.get(second)
        if (known === undefined) wanted.set(second, value)
        else if (known === value) counts.duplicate++
        else counts.conflict++
      }
      const found = { duplicate: 0, conflict: 0 }
      runs.settle(found)
      assert.deepEqual(found, counts)
      const set = Array.from({ length: runs.count }, (_, index) => [runs.seconds[index], runs.values[index]])
      assert.deepEqual(
        set,
        [...wanted].sort(([a], [b]) => a - b),
      )
      for (const { second } of points) assert.equal(runs.seconds[runs.indexOf(second, 0)], second)
      assert.equal(runs.indexOf(4_294_967_295, 0), runs.count)
    }),
  )
})
