/**
 * Answers with the ring are the same bytes as without: whole, in part, flushed in between, stale, or with Redis gone. And a
 * question that the ring covers does not touch the table of minutes.
 *
 * What the ring may hold is taken from Postgres by the test, as the aggregator would push it.
 */
import assert from 'node:assert/strict'
import { before, describe, it } from 'node:test'
import { SystemClock, type VirtualClock } from '@minutely/lib/clock'
import { silentLog } from '@minutely/lib/postgres/test-database'
import { createRegistry } from '@minutely/lib/process-metrics'
import { identityTag, type RecentRing, type RingIdentity, type RingRows } from '@minutely/lib/recent-ring/recent-ring'
import { RedisRecentRing } from '@minutely/lib/recent-ring/redis-recent-ring'
import { createRingMetrics } from '@minutely/lib/recent-ring/ring-metrics'
import { type RingConfig, ringSettings } from '@minutely/lib/recent-ring/ring-settings'
import { adoptRing, readRingIdentity, voidRing } from '@minutely/lib/recent-ring/ring-state'
import type { RedisClient } from '@minutely/lib/redis/redis-client'
import { connectTestClient, createTestRedis, type TestRedis, withoutRedisServer } from '@minutely/lib/redis/test-redis'
import { minuteMs } from '@minutely/schema/limits'
import fc from 'fast-check'
import { createTestApi, insertSeries, setCompleteThrough, startMs } from './test-api.ts'

const defaults = Object.fromEntries(
  Object.entries(ringSettings).map(([key, setting]) => [key, setting.shape.parse(setting.default)]),
) as RingConfig
// Redis lives in the machine's time, the API in that of its clock.
const config = {
  ...defaults,
  hours: 50_000,
  gatherMinutes: 1,
  readBudgetMs: 20_000,
  writeBudgetMs: 20_000,
  breakerMs: 0,
}
const at = (minute: number): number => startMs + minute * minuteMs

/** Switched on and off, so that one API answers both ways. */
class SwitchedRing implements RecentRing {
  isOn = true
  reads = 0
  readonly hours = config.hours
  readonly inner: RedisRecentRing

  constructor(inner: RedisRecentRing) {
    this.inner = inner
  }

  get runId() {
    return this.isOn ? this.inner.runId : undefined
  }

  async read(question: Parameters<RecentRing['read']>[0]) {
    this.reads++
    return this.isOn ? this.inner.read(question) : undefined
  }

  push: RecentRing['push'] = (...args) => this.inner.push(...args)
  fill: RecentRing['fill'] = (...args) => this.inner.fill(...args)
  marked: RecentRing['marked'] = (...args) => this.inner.marked(...args)
  mark: RecentRing['mark'] = (...args) => this.inner.mark(...args)
}

if (withoutRedisServer !== false) it('answers with the ring', { skip: withoutRedisServer }, () => {})
else {
  let server: TestRedis
  let redis: RedisClient
  let ring: SwitchedRing
  let api: Awaited<ReturnType<typeof createTestApi>>
  const metrics = createRingMetrics(createRegistry())

  before(async () => {
    server = await createTestRedis()
    await server.start()
    redis = await connectTestClient(server.url)
    api = await createTestApi({}, (clock: VirtualClock) => {
      ring = new SwitchedRing(new RedisRecentRing(config, { redis, clock, log: silentLog, metrics }))
      return ring
    })
    // As it may be in a large table: rows in the order of storing, unless an order is asked for.
    const { rows } = await api.pool.query<{ name: string }>('select current_database() as name')
    for (const scan of ['indexscan', 'bitmapscan']) {
      await api.pool.query(`alter database ${rows[0]?.name} set enable_${scan} = off`)
    }
    for (const [index, metricId] of ['a', 'b', 'c'].entries()) {
      for (const serverId of ['s1', 's2']) {
        const minutes = Array.from({ length: 50 - 10 * index }, (_, minute) => ({
          // Sums of such values depend on the order of adding.
          atMs: at((minute * 7 + index) % 55),
          values: Array.from({ length: 1 + ((minute * 13) % 60) }, (_, second) => Math.sin(minute * 61 + second)),
        }))
        await insertSeries(api.pool, { serverId, metricId, labels: {} }, minutes)
      }
    }
    await setCompleteThrough(api.pool, at(55))
  })

  async function freshIdentity(): Promise<RingIdentity> {
    return adoptRing(api.pool, redis.runId as string, await readRingIdentity(api.pool))
  }

  /** What Postgres has, as columns; `keeps` says of which rows. */
  async function storedRows(keeps: (row: { seriesId: number; minute: number }) => boolean): Promise<RingRows> {
    const { rows } = await api.pool.query<Record<string, number> & { identity: string; seen: string }>(
      `select series_id, identity, (extract(epoch from minute_at) / 60)::integer as minute, seen::text, min, max, sum
       from minute join series using (series_id) order by random()`,
    )
    const kept = rows.filter((row) => keeps({ seriesId: row['series_id'] as number, minute: row['minute'] as number }))
    const column = (name: string) => kept.map((row) => row[name] as number)
    return {
      count: kept.length,
      seriesIds: Int32Array.from(column('series_id')),
      tags: Uint32Array.from(kept, ({ identity }) => identityTag(identity)),
      minutes: Uint32Array.from(column('minute')),
      seenLow: Uint32Array.from(kept, ({ seen }) => Number(BigInt(seen) & 0xffff_ffffn)),
      seenHigh: Uint32Array.from(kept, ({ seen }) => Number(BigInt(seen) >> 32n)),
      min: Float64Array.from(column('min')),
      max: Float64Array.from(column('max')),
      sum: Float64Array.from(column('sum')),
    }
  }

  async function answerOf(path: string, isOn: boolean) {
    ring.isOn = isOn
    const response = await api.get(path)
    return { status: response.status, etag: response.headers.get('etag'), body: await response.text() }
  }

  const span = (from: number, to: number): string => `from=${at(from)}&to=${at(to)}`
  const questions = [
    `/v1/servers/s1/series?${span(0, 60)}`,
    `/v1/servers/s1/series?${span(-120, 60)}&stepMs=${60 * minuteMs}`,
    `/v1/servers/s2/series?metricId=a&metricId=c&${span(5, 44)}&stepMs=${3 * minuteMs}`,
    `/v1/metrics/a/series?${span(0, 60)}&stepMs=${5 * minuteMs}&order=avg:desc&limit=1&quantile=0.5`,
    `/v1/metrics/b/series?${span(0, 60)}&order=max`,
    `/v1/metrics/b/series?${span(-4000, 60)}&stepMs=${60 * minuteMs}`,
  ]

  async function assertSameAnswers(): Promise<void> {
    for (const question of questions) {
      const without = await answerOf(question, false)
      assert.equal(without.status, 200, without.body)
      assert.deepEqual(await answerOf(question, true), without, question)
    }
  }

  describe('answers with the ring are the same bytes as without', () => {
    it('when it holds everything', async () => {
      await ring.push(await freshIdentity(), await storedRows(() => true))
      await assertSameAnswers()
    })

    it('when it holds any part of it (property)', async () => {
      await fc.assert(
        fc.asyncProperty(
          fc.infiniteStream(fc.integer({ min: 0, max: 2 })),
          fc.integer({ min: 0, max: 55 }),
          async (dice, from) => {
            const identity = await freshIdentity()
            const firstMinute = at(from) / minuteMs
            const rows = await storedRows(({ minute }) => minute >= firstMinute && dice.next().value !== 0)
            await ring.push(identity, rows)
            await assertSameAnswers()
          },
        ),
        { numRuns: 15 },
      )
    })

    it('when it is flushed, void, of another Redis, or Redis is gone', async () => {
      const identity = await freshIdentity()
      await ring.push(identity, await storedRows(() => true))
      await redis.call('flushall', [])
      await assertSameAnswers()
      await ring.push(identity, await storedRows(() => true))
      await voidRing(api.pool, 'test')
      await assertSameAnswers()
      await adoptRing(api.pool, 'f'.repeat(40), await readRingIdentity(api.pool))
      await assertSameAnswers()
      await freshIdentity()
      server.pause()
      ring.inner.read({ series: [], fromMs: 0, toMs: 0, identity: freshIdentity })
      server.resume()
      await server.stop('SIGKILL')
      await assertSameAnswers()
      await server.start()
    })
  })

  describe('a question that the ring covers', () => {
    it('takes it from there, and does not touch the table of minutes', async () => {
      while (redis.runId === undefined) await new SystemClock().sleep(5)
      const identity = await freshIdentity()
      await insertSeries(api.pool, { serverId: 'whole', metricId: 'm', labels: {} }, [{ atMs: at(0), values: [1, 2] }])
      const range = `/v1/servers/whole/series?${span(0, 1)}`
      const stored = await answerOf(range, false)
      await ring.push(identity, await storedRows(() => true))
      await api.pool.query('revoke select on minute_block from minutely_query')
      try {
        assert.equal((await answerOf(range, false)).status, 500)
        assert.deepEqual(await answerOf(range, true), stored)
      } finally {
        await api.pool.query('grant select on minute to minutely_query')
      }
    })

    it('shows what the ring has of it: a state that is not in Postgres shows', async () => {
      const identity = await freshIdentity()
      const rows = await storedRows(() => true)
      rows.sum.fill(42)
      await ring.push(identity, rows)
      const { body } = await answerOf(`/v1/servers/whole/series?${span(0, 1)}`, true)
      assert.deepEqual((JSON.parse(body) as { series: { sum: number[] }[] }).series[0]?.sum, [42])
    })
  })
}
