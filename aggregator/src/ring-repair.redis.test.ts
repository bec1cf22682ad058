/** An empty ring is filled from Postgres: after a flush, by one process at a time, whoever is left goes on. */
import assert from 'node:assert/strict'
import { before, describe, it } from 'node:test'
import { SystemClock } from '@minutely/lib/clock'
import { silentLog } from '@minutely/lib/postgres/test-database'
import type { RingRows } from '@minutely/lib/recent-ring/recent-ring'
import { readRingIdentity, voidRing } from '@minutely/lib/recent-ring/ring-state'
import { createTestRedis, isReady, type TestRedis, withoutRedisServer } from '@minutely/lib/redis/test-redis'
import { minuteMs } from '@minutely/schema/limits'
import { pushMinutes } from './push-minutes.ts'
import { createRingRepair, type RingRepair } from './ring-repair.ts'
import { createTestSealer } from './sealing/test-sealing.ts'
import { assertRingIsWhole, createRingStore, type RingStore, StoringProcess, statesInRing } from './test-ring-store.ts'

const clock = new SystemClock()
const hourMs = 3_600_000
const hoursBack = 4
/** In the middle of an hour. */
const nowMs = Math.floor(clock.nowMs() / hourMs) * hourMs - hourMs / 2
const span = { fromMs: nowMs - hoursBack * hourMs, toMs: nowMs }

if (withoutRedisServer !== false) it('the repair of the ring', { skip: withoutRedisServer }, () => {})
else {
  let server: TestRedis
  before(async () => {
    server = await createTestRedis()
    await server.start()
  })

  const repairOf = (store: RingStore, ring = store.ring): RingRepair =>
    createRingRepair({ repairRowsPerS: 1_000_000 }, { ...store, ring, log: silentLog })
  const repairs = async ({ metrics }: RingStore) =>
    Object.fromEntries((await metrics.repairs.get()).values.map(({ labels, value }) => [labels.result, value]))

  /** 4 hours of 3 series with gaps, complete up to nowMs; beyond it one part of an open minute. */
  async function createFilledStore(on = server): Promise<RingStore> {
    const store = await createRingStore(on, clock)
    const process = new StoringProcess(store.pool, 0)
    const seconds = hoursBack * 3_600 + 30
    const values = (phase: number) =>
      Array.from({ length: seconds }, (_, second) => ((second + phase) % 97 < 60 ? second / 10 : null))
    const rows = ['a', 'b', 'c'].map((name, index) => ({ name, values: values(index * 31) }))
    await process.store(span.fromMs, rows, nowMs)
    return store
  }

  describe('the repair of the ring', () => {
    it('adopts a Redis, fills the ring up to completeThrough, and again after a flush, but not twice', async () => {
      const store = await createFilledStore()
      const repair = repairOf(store)
      await repair.look()
      await assertRingIsWhole(store, span)
      const beyond = await statesInRing(store.pool, store.ring, { fromMs: nowMs, toMs: nowMs + minuteMs })
      assert.equal(beyond.size, 0, 'an open minute is left out')
      await repair.look()
      assert.deepEqual(await repairs(store), { done: 1 })
      await store.redis.call('flushall', [])
      assert.equal((await statesInRing(store.pool, store.ring, span)).size, 0)
      await repair.look()
      await assertRingIsWhole(store, span)
      await repair.stop()
    })

    it('fills it with hours that are sealed, whose late data is beside them', async () => {
      const store = await createFilledStore()
      const sealer = createTestSealer(store.pool, { clock })
      await sealer.look()
      await sealer.stop()
      const late = [{ name: 'b', values: Array.from({ length: 600 }, (_, second) => second) }]
      await new StoringProcess(store.pool, 1).store(span.fromMs + hourMs, late, nowMs)
      const { rows } = await store.pool.query<{ blocks: number; rows: number }>(
        `select (select count(*) from hour_block)::integer as blocks,
                (select count(*) from minute where minute_at < $1)::integer as rows`,
        [new Date(span.fromMs + 2 * hourMs)],
      )
      assert.ok((rows[0]?.blocks ?? 0) >= 6 && (rows[0]?.rows ?? 0) > 0, JSON.stringify(rows))
      const repair = repairOf(store)
      await repair.look()
      await assertRingIsWhole(store, span)
      await repair.stop()
    })

    it('fills a void ring, and one in a Redis that was restarted', async () => {
      const own = await createTestRedis()
      await own.start()
      const store = await createFilledStore(own)
      const repair = repairOf(store)
      await repair.look()
      await voidRing(store.pool, 'test')
      assert.equal((await statesInRing(store.pool, store.ring, span)).size, 0)
      await repair.look()
      await assertRingIsWhole(store, span)
      const ready = isReady(store.redis, store.redis.runId)
      await own.stop('SIGKILL')
      // It may not know yet; then it fails.
      await repair.look().catch(() => {})
      await own.start()
      const runId = await ready
      await repair.look()
      assert.equal((await readRingIdentity(store.pool)).runId, runId)
      await assertRingIsWhole(store, span)
      await repair.stop()
    })

    it('is done by one process; when that ends another takes over', async () => {
      const store = await createFilledStore()
      const [first, second] = [repairOf(store), repairOf(store)]
      await first.look()
      await store.redis.call('flushall', [])
      await second.look()
      assert.equal((await statesInRing(store.pool, store.ring, span)).size, 0)
      await first.stop()
      // Its lock ends with its connection, a moment later.
      while ((await statesInRing(store.pool, store.ring, span)).size === 0) await second.look()
      await assertRingIsWhole(store, span)
      await second.stop()
    })

    it('goes on where a leader that failed had come to, newest hour first', async () => {
      const store = await createFilledStore()
      const filled: RingRows[] = []
      const dying = Object.create(store.ring, {
        fill: {
          value: async (...[identity, rows]: Parameters<typeof store.ring.fill>) => {
            if (filled.length === 2) throw new Error('Redis does not answer')
            filled.push({ ...rows, minutes: rows.minutes.slice(0, rows.count) })
            await store.ring.fill(identity, rows)
          },
        },
        runId: { get: () => store.ring.runId },
        mark: { value: store.ring.mark.bind(store.ring) },
        marked: { value: store.ring.marked.bind(store.ring) },
      })
      const first = repairOf(store, dying)
      await assert.rejects(first.look(), /does not answer/)
      await first.stop()
      const newest = filled.map(({ minutes }) => Math.max(...minutes))
      assert.deepEqual(newest, [nowMs / minuteMs - 1, nowMs / minuteMs - 31])
      const second = repairOf(store)
      while ((await repairs(store))['done'] !== 1) await second.look()
      await assertRingIsWhole(store, span)
      await second.stop()
    })

    it('gives up when the ring changes meanwhile, and begins again', async () => {
      const store = await createFilledStore()
      let flushes = 1
      const flushed = Object.create(store.ring, {
        fill: {
          value: async (...args: Parameters<typeof store.ring.fill>) => {
            await store.ring.fill(...args)
            if (flushes-- === 1) await store.redis.call('flushall', [])
          },
        },
        runId: { get: () => store.ring.runId },
        hours: { get: () => store.ring.hours },
        mark: { value: store.ring.mark.bind(store.ring) },
        marked: { value: store.ring.marked.bind(store.ring) },
      })
      const repair = repairOf(store, flushed)
      await repair.look()
      assert.deepEqual(await repairs(store), { overtaken: 1 })
      await repair.look()
      await assertRingIsWhole(store, span)
      await repair.stop()
    })

    it('leaves alone what live pushes know better', async () => {
      const store = await createFilledStore()
      const heir = new StoringProcess(store.pool, 1)
      const late = [{ name: 'a', values: Array.from({ length: 60 }, () => 1_000) }]
      const live = Object.create(store.ring, {
        fill: {
          value: async (...[identity, rows]: Parameters<typeof store.ring.fill>) => {
            // Read before, pushed after: an older state.
            const older = structuredClone({ ...rows })
            const stored = await heir.store(nowMs - minuteMs, late, nowMs)
            await pushMinutes(stored.ring, { ...store, log: silentLog })
            await store.ring.fill(identity, older)
          },
        },
        runId: { get: () => store.ring.runId },
        hours: { get: () => store.ring.hours },
        mark: { value: store.ring.mark.bind(store.ring) },
        marked: { value: store.ring.marked.bind(store.ring) },
      })
      const repair = repairOf(store, live)
      await repair.look()
      await assertRingIsWhole(store, span)
      await repair.stop()
    })

    it('makes the ring void when the epoch went back: the database was restored', async () => {
      const store = await createFilledStore()
      const repair = repairOf(store)
      await repair.look()
      const { epoch } = await readRingIdentity(store.pool)
      await store.pool.query('update ring_state set epoch = 5')
      await repair.look()
      const { rows } = await store.pool.query<{ epoch: string }>('select epoch::text from ring_state')
      assert.ok(BigInt(rows[0]?.epoch ?? 0) > BigInt(epoch))
      await assertRingIsWhole(store, span)
      await repair.stop()
    })
  })
}
