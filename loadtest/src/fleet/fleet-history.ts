/**
 * Writes minutes of days gone by for the series of a generated fleet into an empty database, so that a run begins with what a
 * fleet has after days. Values are made by Postgres from the series' number and the minute; every second is seen.
 */

import type { Logger } from '@minutely/lib/logging'
import { insertPacked } from '@minutely/lib/minute-tiers/pack-rows'
import { migrate } from '@minutely/lib/postgres/migrate'
import { createPool, type Pool } from '@minutely/lib/postgres/pool'
import { postgresSettings } from '@minutely/lib/postgres/postgres-settings'
import { seriesIdentity } from '@minutely/schema/series-identity'
import type { GeneratedFleet } from '../generated-fleet.ts'

export interface HistoryPlan {
  readonly fleet: GeneratedFleet
  readonly hours: number
  readonly postgresUrl: string
}

const hourMs = 3_600_000
const minuteMs = 60_000
/** An insert keeps one core of Postgres busy. */
const writers = 2
const serversPerStatement = 100
const hoursPerLine = 6
/** All 60 bits. */
const allSeen = '1152921504606846975'

/** @returns how many minutes of series were written, all of them before the minute in which it was called. */
export async function writeHistory(
  { fleet, hours, postgresUrl }: HistoryPlan,
  { log, onProgress }: { log: Logger; onProgress: (message: string) => void },
): Promise<number> {
  const connection = postgresSettings.connection.shape.parse(postgresUrl)
  const statementTimeoutMs = 30 * minuteMs
  const pool = createPool(connection, { name: 'history', connectionsMax: writers, statementTimeoutMs }, { log })
  try {
    await migrate(pool)
    const untilMs = Math.floor(Date.now() / minuteMs) * minuteMs
    const fromMs = untilMs - hours * hourMs
    await writeSeries(pool, fleet, fromMs)
    const firstHour = Math.floor(fromMs / hourMs)
    const pending = Array.from({ length: Math.ceil(untilMs / hourMs) - firstHour }, (_, index) => firstHour + index)
    for (const hour of pending) await makePartition(pool, hour)
    const hourCount = pending.length
    let [rowCount, hoursDone] = [0, 0]
    const write = async (): Promise<void> => {
      for (let hour = pending.shift(); hour !== undefined; hour = pending.shift()) {
        const [startMs, endMs] = [Math.max(fromMs, hour * hourMs), Math.min(untilMs, (hour + 1) * hourMs)]
        const written = await writeHour(pool, { startMs, endMs })
        rowCount += written
        hoursDone++
        if (hoursDone % hoursPerLine === 0 || hoursDone === hourCount) {
          onProgress(`history: ${hoursDone} of ${hourCount} hours, ${rowCount.toLocaleString('en')} minutes of series`)
        }
      }
    }
    await Promise.all(Array.from({ length: writers }, write))
    await pool.query('analyze')
    return rowCount
  } finally {
    await pool.end()
  }
}

async function writeSeries(pool: Pool, fleet: GeneratedFleet, firstSeenMs: number): Promise<void> {
  const { hostCount } = fleet.shape
  for (let first = 0; first < hostCount; first += serversPerStatement) {
    const count = Math.min(serversPerStatement, hostCount - first)
    const serverIds = Array.from({ length: count }, (_, index) => fleet.serverId(first + index))
    const rows = serverIds.flatMap((serverId) =>
      fleet.series.map((series) => ({
        serverId,
        series,
        identity: seriesIdentity({ tenantId: 'default', serverId }, series),
      })),
    )
    await pool.query(
      `insert into server (tenant_id, server_id, first_seen_at, last_seen_at)
       select tenant_id, server_id, to_timestamp($2 / 1000.0), now()
       from tenant, unnest($1::text[]) as server_id where tenant.name = 'default'`,
      [serverIds, firstSeenMs],
    )
    await pool.query(
      `insert into series (tenant_id, identity, server_id, metric_id, labels, first_seen_at)
       select tenant_id, identity, server_id, metric_id, labels, to_timestamp($5 / 1000.0)
       from tenant, unnest($1::uuid[], $2::text[], $3::text[], $4::jsonb[]) as fresh (identity, server_id, metric_id, labels)
       where tenant.name = 'default'`,
      [
        rows.map(({ identity }) => identity),
        rows.map(({ serverId }) => serverId),
        rows.map(({ series }) => series.metricId),
        rows.map(({ series }) => JSON.stringify(series.labels)),
        firstSeenMs,
      ],
    )
  }
}

/** All before the first insert, which would hold the next one up. */
async function makePartition(pool: Pool, hour: number): Promise<void> {
  await pool.query(
    `create table ${partitionOf(hour)} partition of minute_block
     for values from ('${instant(hour * hourMs)}') to ('${instant((hour + 1) * hourMs)}')`,
  )
}

async function writeHour(pool: Pool, { startMs, endMs }: { startMs: number; endMs: number }): Promise<number> {
  const minutes = `from generate_series('${instant(startMs)}'::timestamptz, '${instant(endMs)}'::timestamptz - interval '1 minute', interval '1 minute') as minute_at
     cross join series`
  await pool.query(
    insertPacked(
      `select series_id, tenant_id, minute_at, ${allSeen}::bigint as seen, low as min, low + 3 as max, 60 * low + 90 as sum ${minutes}
       cross join lateral (select (series_id % 1000 + extract(minute from minute_at))::float8) as value (low)`,
    ),
  )
  const { rows } = await pool.query<{ n: number }>(`select count(*)::float8 as n ${minutes}`)
  return rows[0]?.n ?? 0
}

function partitionOf(hour: number): string {
  return `minute_block_${instant(hour * hourMs)
    .slice(0, 13)
    .replace(/\D/g, '')}`
}

function instant(ms: number): string {
  return new Date(ms).toISOString()
}
