/**
 * What the ring learns of a flush, with a real Postgres and a real Redis: the rows as stored; never an older state, never
 * a part of an open minute; and void, in Postgres, when it could not learn of a merge.
 */
import assert from 'node:assert/strict'
import { before, describe, it } from 'node:test'
import { SystemClock } from '@minutely/lib/clock'
import { silentLog } from '@minutely/lib/postgres/test-database'
import { readRingIdentity, voidRing } from '@minutely/lib/recent-ring/ring-state'
import { createTestRedis, isReady, type TestRedis, withoutRedisServer } from '@minutely/lib/redis/test-redis'
import { minuteMs } from '@minutely/schema/limits'
import fc from 'fast-check'
import { StoreRewoundError } from './minute-store.ts'
import { pushMinutes } from './push-minutes.ts'
import {
  adopt,
  assertRingIsWhole,
  createRingStore,
  type RingStore,
  StoringProcess,
  statesInRing,
} from './test-ring-store.ts'

const clock = new SystemClock()
const hourMs = 3_600_000
/** The last minute of an hour, two to three hours ago. */
const baseMs = Math.floor(clock.nowMs() / hourMs) * hourMs - 2 * hourMs - minuteMs
const span = { fromMs: baseMs - hourMs, toMs: baseMs + hourMs }
const all = baseMs + hourMs
const ramp = (length: number, from = 0): number[] => Array.from({ length }, (_, index) => (from + index) / 10)
const gap = (length: number): null[] => Array<null>(length).fill(null)

if (withoutRedisServer !== false) it('pushes to the ring', { skip: withoutRedisServer }, () => {})
else {
  let server: TestRedis
  before(async () => {
    server = await createTestRedis()
    await server.start()
  })
  const push = (store: RingStore, stored: Awaited<ReturnType<StoringProcess['store']>>) =>
    pushMinutes(stored.ring, { ...store, log: silentLog })

  describe('the ring', () => {
    it('has what was copied and what was merged, as stored, across an hour', async () => {
      const store = await createRingStore(server, clock)
      await adopt(store)
      const process = new StoringProcess(store.pool, 0)
      await push(
        store,
        await process.store(
          baseMs,
          [
            { name: 'a', values: ramp(130) },
            { name: 'b', values: ramp(70) },
          ],
          all,
        ),
      )
      await assertRingIsWhole(store, span)
      const late = [
        { name: 'b', values: [...gap(65), 9, 9, ...gap(20), ...ramp(5)] },
        { name: 'c', values: [1] },
      ]
      const merged = await process.store(baseMs, late, all)
      assert.ok(merged.mergedRows > 0)
      await push(store, merged)
      await assertRingIsWhole(store, span)
    })

    it('has the union after parts of two processes, however their pushes are ordered (property)', async () => {
      const store = await createRingStore(server, clock)
      await adopt(store)
      let series = 0
      const second = fc.option(fc.integer({ min: 0, max: 9 }), { freq: 1 })
      const parts = fc.array(fc.record({ values: fc.array(second, { minLength: 1, maxLength: 12 }), by: fc.nat(1) }), {
        minLength: 1,
        maxLength: 4,
      })
      await fc.assert(
        fc.asyncProperty(parts, fc.infiniteStream(fc.nat()), async (list, dice) => {
          const name = `s${series++}`
          const processes = [0, 1].map((number) => new StoringProcess(store.pool, 2 * series + number))
          const pending: Awaited<ReturnType<StoringProcess['store']>>[] = []
          for (const { values, by } of list) {
            const stored = await processes[by]?.store(baseMs, [{ name, values }], all)
            if (stored !== undefined) pending.push(stored)
          }
          while (pending.length > 0) {
            const [next] = pending.splice((dice.next().value as number) % pending.length, 1)
            if (next !== undefined) await push(store, next)
          }
        }),
        { numRuns: 25 },
      )
      await assertRingIsWhole(store, span)
    })

    it('is not set back by a process that was paused before its push', async () => {
      const store = await createRingStore(server, clock)
      await adopt(store)
      const [paused, heir] = [new StoringProcess(store.pool, 0), new StoringProcess(store.pool, 1)]
      const belated = await paused.store(baseMs, [{ name: 'a', values: ramp(10) }], all)
      await push(store, await heir.store(baseMs, [{ name: 'a', values: ramp(40) }], all))
      await push(store, belated)
      await assertRingIsWhole(store, span)
      // Nor when the ring was made void in between: its push is for the old one.
      const older = await paused.store(baseMs, [{ name: 'a', values: ramp(45) }], all)
      await voidRing(store.pool, 'test')
      await adopt(store)
      await heir.store(baseMs, [{ name: 'a', values: ramp(50) }], all)
      await push(store, older)
      assert.equal((await statesInRing(store.pool, store.ring, span)).size, 0)
    })

    it('does not get a part of a minute that is open', async () => {
      const store = await createRingStore(server, clock)
      await adopt(store)
      const process = new StoringProcess(store.pool, 0)
      const early = await process.store(baseMs, [{ name: 'a', values: ramp(90) }], baseMs + minuteMs)
      await push(store, early)
      const states = await statesInRing(store.pool, store.ring, span)
      assert.deepEqual(
        [...states.keys()].map((key) => Number(key.split(' ')[1])),
        [baseMs / minuteMs],
      )
      await push(store, await process.store(baseMs, [{ name: 'a', values: ramp(120) }], baseMs + 2 * minuteMs))
      await assertRingIsWhole(store, span)
    })
  })

  describe('without Redis', () => {
    it('new minutes need nothing, a merged one makes the ring void, once', async () => {
      const own = await createTestRedis()
      await own.start()
      const store = await createRingStore(own, clock)
      await adopt(store)
      const process = new StoringProcess(store.pool, 0)
      await push(store, await process.store(baseMs, [{ name: 'a', values: ramp(5) }], all))
      const before = await readRingIdentity(store.pool)
      await own.stop('SIGKILL')
      await push(store, await process.store(baseMs + minuteMs, [{ name: 'a', values: ramp(5) }], all))
      assert.deepEqual(await readRingIdentity(store.pool), before)
      await push(store, await process.store(baseMs, [{ name: 'a', values: ramp(9) }], all))
      const after = await readRingIdentity(store.pool)
      assert.equal(after.runId, undefined)
      assert.ok(BigInt(after.epoch) > BigInt(before.epoch))
      await push(store, await process.store(baseMs, [{ name: 'a', values: ramp(12) }], all))
      assert.deepEqual(await readRingIdentity(store.pool), after)
    })

    it('that was adopted, but another: new minutes need nothing, a merged one makes the ring void', async () => {
      const own = await createTestRedis()
      await own.start()
      const store = await createRingStore(own, clock)
      await adopt(store)
      const process = new StoringProcess(store.pool, 0)
      await push(store, await process.store(baseMs, [{ name: 'a', values: ramp(5) }], all))
      const ready = isReady(store.redis, store.redis.runId)
      await own.stop('SIGKILL')
      await own.start()
      await ready
      const before = await readRingIdentity(store.pool)
      await push(store, await process.store(baseMs + minuteMs, [{ name: 'a', values: ramp(5) }], all))
      assert.deepEqual(await readRingIdentity(store.pool), before)
      await push(store, await process.store(baseMs, [{ name: 'a', values: ramp(9) }], all))
      assert.equal((await readRingIdentity(store.pool)).runId, undefined)
    })
  })

  describe('the identity that a flush pushes for', () => {
    it('stays until a transaction that merges has committed', async () => {
      const store = await createRingStore(server, clock)
      await adopt(store)
      const client = await store.pool.connect()
      try {
        await client.query('begin')
        const identity = await readRingIdentity(client, 'share')
        await client.query("insert into tenant (name) values ('merged meanwhile')")
        const voided = voidRing(store.pool, 'test', identity)
        const order: string[] = []
        const done = voided.then(() => order.push('void'))
        await client.query('select pg_sleep(0)')
        order.push('commit')
        await client.query('commit')
        await done
        assert.deepEqual(order, ['commit', 'void'])
      } finally {
        client.release()
      }
    })

    it('ends when the database lost commits', async () => {
      const store = await createRingStore(server, clock)
      await adopt(store)
      const process = new StoringProcess(store.pool, 0)
      await process.store(baseMs, [{ name: 'a', values: ramp(5) }], all)
      await store.pool.query(`update partition_progress set updated_at = updated_at - interval '2 seconds'`)
      const next = process.store(baseMs + minuteMs, [{ name: 'a', values: ramp(5) }], all)
      await assert.rejects(next, StoreRewoundError)
      assert.equal((await readRingIdentity(store.pool)).runId, undefined)
    })
  })
}
