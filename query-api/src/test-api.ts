/**
 * For tests: a query API that listens on a free port of loopback, before a database of its own whose rows a test writes
 * itself, and a live channel the test drives. Time is a virtual clock that stands at nowMs.
 */
import { after } from 'node:test'
import { VirtualClock } from '@minutely/lib/clock'
import { createHttpServer } from '@minutely/lib/http-server'
import { LocalLiveChannel } from '@minutely/lib/live/local-live-channel'
import { makeMinutesWritable } from '@minutely/lib/minute-tiers/test-writable-minutes'
import { createPool, type Pool } from '@minutely/lib/postgres/pool'
import { createTestDatabase, silentLog } from '@minutely/lib/postgres/test-database'
import { createRegistry } from '@minutely/lib/process-metrics'
import { AbsentRecentRing } from '@minutely/lib/recent-ring/absent-recent-ring'
import type { RecentRing } from '@minutely/lib/recent-ring/recent-ring'
import { minuteMs } from '@minutely/schema/limits'
import { type SeriesRef, seriesIdentity } from '@minutely/schema/series-identity'
import { type QueryConfig, querySettings } from './config.ts'
import { createQueryApi } from './service.ts'

/** A whole hour, so that steps up to an hour start there. */
export const startMs = Date.UTC(2026, 0, 5, 12)
export const nowMs = startMs + 60 * minuteMs

export const defaultConfig = Object.fromEntries(
  Object.entries(querySettings).map(([key, setting]) => [key, setting.shape.parse(setting.default)]),
) as QueryConfig

export interface TestMinute {
  readonly atMs: number
  /** Seconds 0, 1, 2... of the minute. */
  readonly values: readonly number[]
}

/** `ringOf`: the recent ring, if it is to have one. `database`: another one's, instead of its own. */
export async function createTestApi(
  overrides: Partial<QueryConfig> = {},
  ringOf: (clock: VirtualClock) => RecentRing = () => new AbsentRecentRing(),
  database?: Pick<Awaited<ReturnType<typeof createTestDatabase>>, 'connection' | 'pool'>,
) {
  const { connection, pool } = database ?? (await createTestDatabase())
  if (database === undefined) {
    await pool.query('create table minute_block_everything partition of minute_block default')
    await makeMinutesWritable(pool)
  }
  const reader = createPool(connection, { name: 'query', connectionsMax: 4, readAsTenantId: 1 }, { log: silentLog })
  const annotator = createPool(connection, { name: 'a', connectionsMax: 2, annotateAsTenantId: 1 }, { log: silentLog })
  const live = new LocalLiveChannel()
  const clock = new VirtualClock(nowMs)
  const registry = createRegistry()
  const config = { ...defaultConfig, ...overrides }
  const ring = ringOf(clock)
  const api = createQueryApi(config, { pool: reader, annotator, live, ring, clock, log: silentLog, registry })
  const http = createHttpServer(
    { host: '127.0.0.1', port: 0 },
    { log: silentLog, registry, plugins: [api.plugin], readiness: [] },
  )
  await http.start()
  const stop = async (): Promise<void> => {
    await http.stop()
    await api.stop()
    if (!reader.ended) await reader.end()
  }
  stops.add(stop)
  const get = (path: string, init: RequestInit = {}): Promise<Response> => fetch(http.url + path, init)
  return { pool, reader, live, ring, clock, registry, config, url: http.url, get, stop, connection }
}

// The database's own hook may run first; what still reads then gets an error, and is stopped here all the same.
const stops = new Set<() => Promise<void>>()
after(async () => {
  for (const stop of stops) await stop()
})

/** A series with its minutes, as an aggregator would have stored them. @returns the series id. */
export async function insertSeries(
  pool: Pool,
  series: SeriesRef & { readonly serverId: string; readonly tenantId?: number },
  minutes: readonly TestMinute[],
): Promise<number> {
  const { serverId, metricId, labels, tenantId = 1 } = series
  const identity = seriesIdentity({ tenantId: String(tenantId), serverId }, { metricId, labels })
  const first = new Date(Math.min(startMs, ...minutes.map(({ atMs }) => atMs)))
  const last = new Date(Math.max(startMs, ...minutes.map(({ atMs }) => atMs + minuteMs)))
  await pool.query(
    `insert into server values ($1, $2, $3, $4) on conflict (tenant_id, server_id) do update
     set last_seen_at = greatest(server.last_seen_at, excluded.last_seen_at)`,
    [tenantId, serverId, first, last],
  )
  const { rows } = await pool.query<{ series_id: number }>(
    `insert into series (tenant_id, identity, server_id, metric_id, labels, first_seen_at) values ($1, $2, $3, $4, $5, $6)
     on conflict (identity) do update set identity = excluded.identity returning series_id`,
    [tenantId, identity, serverId, metricId, JSON.stringify(labels), first],
  )
  const seriesId = rows[0]?.series_id ?? 0
  for (const { atMs, values } of minutes) {
    const seen = (1n << BigInt(values.length)) - 1n
    const sum = values.reduce((a, b) => a + b, 0)
    await pool.query('insert into minute values ($1, $2, $3, $4, $5, $6, $7)', [
      seriesId,
      tenantId,
      new Date(atMs),
      seen.toString(),
      Math.min(...values),
      Math.max(...values),
      sum,
    ])
  }
  return seriesId
}

export async function setCompleteThrough(pool: Pool, atMs: number, partition = 0): Promise<void> {
  await pool.query(
    `insert into partition_progress (topic, partition, position, complete_through_at) values ('samples', $1, 0, $2)
     on conflict (topic, partition) do update set complete_through_at = excluded.complete_through_at`,
    [partition, new Date(atMs)],
  )
}

/** Repeats a check until it holds, for what happens just after an answer; the runner's own timeout ends a vain wait. */
export async function eventually<T>(check: () => T | Promise<T>): Promise<T> {
  for (let tries = 0; ; tries++) {
    try {
      return await check()
    } catch (error) {
      if (tries >= 2000) throw error
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
  }
}

/** Makes every statement on the table wait, for as long as the test wants. */
export async function lockTable(pool: Pool, table: string) {
  const locker = await pool.connect()
  await locker.query(`begin; lock table ${table} in access exclusive mode`)
  return {
    /** How many statements wait that name it. */
    waiting: async (): Promise<number> => {
      const { rows } = await pool.query<{ n: number }>(
        "select count(*)::integer as n from pg_stat_activity where wait_event_type = 'Lock' and query like $1",
        [`%${table}%`],
      )
      return rows[0]?.n ?? 0
    },
    release: async (): Promise<void> => {
      await locker.query('rollback')
      locker.release()
    },
  }
}
