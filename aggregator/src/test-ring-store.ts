/**
 * For tests of the ring: a database and a Redis of their own, processes that store and push, and the comparison of what
 * the ring covers with what Postgres has.
 */
import assert from 'node:assert/strict'
import type { Clock } from '@minutely/lib/clock'
import type { Pool } from '@minutely/lib/postgres/pool'
import { createTestDatabase, silentLog } from '@minutely/lib/postgres/test-database'
import { createRegistry } from '@minutely/lib/process-metrics'
import { identityTag, type RecentRing } from '@minutely/lib/recent-ring/recent-ring'
import { RedisRecentRing } from '@minutely/lib/recent-ring/redis-recent-ring'
import { createRingMetrics } from '@minutely/lib/recent-ring/ring-metrics'
import { type RingConfig, ringSettings } from '@minutely/lib/recent-ring/ring-settings'
import { adoptRing, readRingIdentity } from '@minutely/lib/recent-ring/ring-state'
import type { RedisClient } from '@minutely/lib/redis/redis-client'
import { connectTestClient, type TestRedis } from '@minutely/lib/redis/test-redis'
import { minuteMs } from '@minutely/schema/limits'
import { sectionOf, storedMinutes } from './minute-model.ts'
import { MinutePartitions } from './minute-partitions.ts'
import type { Stored } from './minute-store.ts'
import { MinuteWindows } from './minute-window.ts'
import { PostgresMinuteStore } from './postgres-minute-store.ts'
import { SeriesDictionary } from './series-dictionary.ts'
import { SeriesSlots } from './series-slots.ts'
import { storeMinutes } from './store-minutes.ts'

const wide = { openMinutesMax: 1_000, lateMinutesMax: 1_000, bytesMax: 1 << 30, lateHoldMs: 0 }
const defaults = Object.fromEntries(
  Object.entries(ringSettings).map(([key, setting]) => [key, setting.shape.parse(setting.default)]),
) as RingConfig

export interface RingStore {
  readonly pool: Pool
  readonly minuteStore: PostgresMinuteStore
  readonly redis: RedisClient
  readonly ring: RedisRecentRing
  readonly clock: Clock
  readonly metrics: ReturnType<typeof createRingMetrics>
}

/** Rows of a server: one a series, values from startMs on, a second each, null = gap. */
export type Rows = readonly { readonly name: string; readonly values: readonly (number | null)[] }[]

export async function createRingStore(
  server: TestRedis,
  clock: Clock,
  overrides: Partial<RingConfig> = {},
): Promise<RingStore> {
  const { pool } = await createTestDatabase()
  const redis = await connectTestClient(server.url)
  const metrics = createRingMetrics(createRegistry())
  const config = {
    ...defaults,
    gatherMinutes: 1,
    writeBudgetMs: 20_000,
    readBudgetMs: 20_000,
    breakerMs: 0,
    ...overrides,
  }
  const ring = new RedisRecentRing(config, { redis, clock, log: silentLog, metrics })
  return { pool, minuteStore: new PostgresMinuteStore(pool), redis, ring, clock, metrics }
}

export async function adopt({ pool, redis }: RingStore): Promise<void> {
  await adoptRing(pool, redis.runId as string, await readRingIdentity(pool))
}

/** A process with one partition. */
export class StoringProcess {
  readonly #pool: Pool
  readonly #partition: number
  readonly #slots = new SeriesSlots()
  readonly #dictionary: SeriesDictionary
  #version: Stored['version']

  constructor(pool: Pool, partition: number) {
    this.#pool = pool
    this.#partition = partition
    this.#dictionary = new SeriesDictionary(pool)
  }

  /** Stores all minutes of the rows in one flush; they are closed when closedThroughMs is past them. */
  async store(startMs: number, rows: Rows, closedThroughMs: number): Promise<Stored> {
    const windows = new MinuteWindows(wide, 0)
    const length = Math.max(...rows.map(({ values }) => values.length))
    const named = rows.map(({ name, values }) => ({
      series: { metricId: name, labels: {} },
      values: [...values, ...Array<null>(length - values.length).fill(null)],
    }))
    const section = sectionOf('server', { startMs, stepMs: 1_000 }, named)
    windows.fold(section, this.#slots.slotsOf(section), { position: 0, trustedMs: 0 })
    const minutes = windows.closeUpTo(Number.MAX_SAFE_INTEGER, 0)
    const partition = { topic: 'samples', partition: this.#partition }
    const stored = await storeMinutes(
      { partition, minutes, resumeAt: 1, closedThroughMs, version: this.#version },
      {
        pool: this.#pool,
        dictionary: this.#dictionary,
        partitions: new MinutePartitions(this.#pool),
        slots: this.#slots,
      },
    )
    this.#version = stored.version
    return stored
  }
}

type States = Map<string, { seen: bigint; min: number; max: number; sum: number }>

/** `<series id> <minute>` -> state, of both tiers. */
export async function statesInPostgres(pool: Pool, beforeMs = Number.MAX_SAFE_INTEGER / 2): Promise<States> {
  const minutes = (await storedMinutes(pool)).filter(({ minute }) => minute * minuteMs < beforeMs)
  return new Map(
    minutes.map(({ seriesId, minute, seenLow, seenHigh, min, max, sum }) => {
      const seen = BigInt(seenLow) | (BigInt(seenHigh) << 32n)
      return [`${seriesId} ${minute}`, { seen, min, max, sum }]
    }),
  )
}

/** What a reader finds in the ring, of all series there are. */
export async function statesInRing(
  pool: Pool,
  ring: RecentRing,
  span: { fromMs: number; toMs: number },
): Promise<States> {
  const { rows } = await pool.query<{ series_id: number; identity: string }>('select series_id, identity from series')
  const series = rows.map(({ series_id, identity }) => ({ seriesId: series_id, tag: identityTag(identity) }))
  const reading = await ring.read({ series, ...span, identity: () => readRingIdentity(pool) })
  const states: [string, { seen: bigint; min: number; max: number; sum: number }][] = []
  for (const [slot, flag] of reading?.covered.entries() ?? []) {
    if (reading === undefined || flag !== 1) continue
    const seen = BigInt(reading.seenLow[slot] as number) | (BigInt(reading.seenHigh[slot] as number) << 32n)
    const minute = reading.fromMs / minuteMs + (slot % reading.minuteCount)
    const { seriesId = 0 } = series[Math.floor(slot / reading.minuteCount)] ?? {}
    const [min, max, sum] = [reading.min[slot] ?? 0, reading.max[slot] ?? 0, reading.sum[slot] ?? 0]
    states.push([`${seriesId} ${minute}`, { seen, min, max, sum }])
  }
  return new Map(states.sort(([a], [b]) => compareKeys(a, b)))
}

function compareKeys(a: string, b: string): number {
  const [[seriesA = 0, minuteA = 0], [seriesB = 0, minuteB = 0]] = [a.split(' ').map(Number), b.split(' ').map(Number)]
  return seriesA - seriesB || minuteA - minuteB
}

export async function assertRingIsWhole(store: RingStore, span: { fromMs: number; toMs: number }): Promise<void> {
  const expected = [...(await statesInPostgres(store.pool, span.toMs))].filter(
    ([key]) => Number(key.split(' ')[1]) * minuteMs >= span.fromMs,
  )
  assert.deepEqual([...(await statesInRing(store.pool, store.ring, span))], expected)
}
