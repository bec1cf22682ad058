import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { assignShards, shardOf } from './shard-assigner.ts'

const members = fc.uniqueArray(fc.uuid(), { minLength: 1, maxLength: 20 })

test('every shard has one owner, and owners differ by one shard at most (property)', () => {
  fc.assert(
    fc.property(members, fc.integer({ min: 1, max: 200 }), (ids, shardCount) => {
      const owned = assignShards(ids, shardCount)
      const shards = [...owned.values()].flat().sort((a, b) => a - b)
      assert.deepEqual(
        shards,
        Array.from({ length: shardCount }, (_, shard) => shard),
      )
      assert.deepEqual(new Set(owned.keys()), new Set(ids))
      const sizes = [...owned.values()].map(({ length }) => length)
      assert.ok(Math.max(...sizes) - Math.min(...sizes) <= 1, sizes.join(' '))
    }),
  )
})

test('the order in which members are named does not matter (property)', () => {
  fc.assert(
    fc.property(members, (ids) => {
      assert.deepEqual(assignShards(ids, 64), assignShards([...ids].reverse(), 64))
    }),
  )
})

test('when a member goes, at most twice as many shards of others move as it had (property)', () => {
  fc.assert(
    fc.property(fc.uniqueArray(fc.uuid(), { minLength: 2, maxLength: 12 }), (ids) => {
      const [gone = '', ...rest] = ids
      const before = assignShards(ids, 64)
      const after = assignShards(rest, 64)
      const lost = before.get(gone)?.length ?? 0
      let moved = 0
      for (const member of rest) {
        const now = new Set(after.get(member))
        moved += (before.get(member) ?? []).filter((shard) => !now.has(shard)).length
      }
      assert.ok(moved <= 2 * lost, `${moved} of ${64 - lost} shards moved between members that stay, ${lost} had to`)
    }),
    { numRuns: 500 },
  )
})

test('a topic of four partitions goes to four shards, and many topics to all of them', () => {
  const shards = [0, 1, 2, 3].map((partition) => shardOf({ topic: 'minutely.samples.a', partition }, 64))
  assert.equal(new Set(shards).size, 4)
  const all = Array.from({ length: 1_000 }, (_, index) => shardOf({ topic: `t${index}`, partition: 0 }, 64))
  assert.equal(new Set(all).size, 64)
})

test('nobody owns anything in a group without members', () => {
  assert.equal(assignShards([], 64).size, 0)
})
