/** For tests: packs hours of rows as the aggregator does, each step by itself. */
import type { Pool } from '@minutely/lib/postgres/pool'
import { DayBlockEncoder } from '@minutely/schema/day-block/encode-day-block'
import { createHourColumns, type HourColumns } from '@minutely/schema/day-block/hour-columns'
import { rollUpHour } from '@minutely/schema/day-block/roll-up-hour'
import { HourBlockEncoder } from '@minutely/schema/hour-block/encode-hour-block'
import { createMinuteColumns } from '@minutely/schema/hour-block/minute-columns'

interface PackedDay {
  readonly tenantId: number
  readonly columns: HourColumns
}

/** Rows of the hour become blocks, and stay. Nothing is settled yet. */
export async function packHour(pool: Pool, hour: number): Promise<void> {
  await pool.query("insert into hour_seal (hour, state, tried_at, rolled) values ($1, 'sealing', now(), true)", [hour])
  const day = Math.floor(hour / 24)
  await pool.query(
    `create table if not exists hour_block_${day} partition of hour_block_c0 for values from (${day * 24}) to (${day * 24 + 24})`,
  )
  for (const [seriesId, { tenantId, columns }] of await minutesOf(pool, hour)) {
    const block = new HourBlockEncoder().encode(columns, 0)
    await pool.query('insert into hour_block (series_id, hour, tenant_id, block, class) values ($1, $2, $3, $4, 0)', [
      seriesId,
      hour,
      tenantId,
      block,
    ])
  }
}

/** Their hours into day blocks, from rows. */
export async function rollHours(pool: Pool, hours: readonly number[]): Promise<void> {
  const days = new Map<string, PackedDay>()
  for (const hour of hours) {
    for (const [seriesId, { tenantId, columns }] of await minutesOf(pool, hour)) {
      const key = `${seriesId} ${Math.floor(hour / 24)}`
      const day = days.get(key) ?? { tenantId, columns: createHourColumns() }
      days.set(key, day)
      const { count, min, max, sum } = rollUpHour(columns)
      day.columns.count[hour % 24] = count
      day.columns.min[hour % 24] = min
      day.columns.max[hour % 24] = max
      day.columns.sum[hour % 24] = sum
    }
  }
  for (const [key, { tenantId, columns }] of days) {
    const [seriesId, day] = key.split(' ').map(Number)
    await pool.query(
      `create table if not exists day_block_${day} partition of day_block_c0 for values from (${day}) to (${(day ?? 0) + 1})`,
    )
    await pool.query('insert into day_block (series_id, day, tenant_id, block, class) values ($1, $2, $3, $4, 0)', [
      seriesId,
      day,
      tenantId,
      new DayBlockEncoder().encode(columns),
    ])
  }
}

/** Drops their rows, as the last step of sealing. */
export async function settleHours(pool: Pool, hours: readonly number[]): Promise<void> {
  await pool.query('delete from minute where floor(extract(epoch from minute_at) / 3600) = any ($1::integer[])', [
    hours,
  ])
  await pool.query("update hour_seal set state = 'sealed' where hour = any ($1::integer[])", [hours])
}

async function minutesOf(pool: Pool, hour: number) {
  const { rows } = await pool.query(
    `select series_id, tenant_id, (extract(epoch from minute_at) / 60)::integer % 60 as minute,
            (seen & x'3fffffff'::bigint)::integer as low, (seen >> 30)::integer as high, min, max, sum
     from minute where floor(extract(epoch from minute_at) / 3600) = $1 order by series_id`,
    [hour],
  )
  const bySeries = new Map<number, { tenantId: number; columns: ReturnType<typeof createMinuteColumns> }>()
  for (const { series_id, tenant_id, minute, low, high, min, max, sum } of rows) {
    const { columns } = bySeries.get(series_id) ?? { columns: createMinuteColumns(60) }
    bySeries.set(series_id, { tenantId: tenant_id, columns })
    columns.seenLow[minute] = low
    columns.seenHigh[minute] = high
    columns.min[minute] = min
    columns.max[minute] = max
    columns.sum[minute] = sum
  }
  return bySeries
}
