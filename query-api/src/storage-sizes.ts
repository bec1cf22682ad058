/**
 * What Postgres says of its tables: sizes of partitions, how much was sealed into them, and how long they are kept. A few milliseconds. Sizes
 * are of whole tables, of all tenants; no series or name can be told from them.
 */
import type { PoolClient } from '@minutely/lib/postgres/pool'

export interface StoredPartition {
  readonly table: 'minute_block' | 'hour_block' | 'day_block' | 'log_record'
  readonly bytes: number
  /** Of the rows alone, without indexes. */
  readonly rowBytes: number
  /** Of retention; 0 where there are none. */
  readonly class: number
  /** Hours since 1970; undefined for the log. */
  readonly fromHour: number | undefined
  readonly toHour: number | undefined
}

export interface SealedCount {
  readonly hour: number
  readonly class: number
  readonly seriesMinutes: number
  readonly seriesHours: number
}

export interface KeptClass {
  readonly class: number
  readonly minuteHours: number
  readonly hourHours: number
}

export interface StorageSizes {
  readonly databaseBytes: number
  readonly partitions: readonly StoredPartition[]
  /** Of the last hours that were sealed. */
  readonly lately: readonly SealedCount[]
  /** The first hour that was ever counted. */
  readonly firstHour: number | undefined
  /** All that the sealed tiers have, by class; seriesMinutes of hour_block, seriesHours of day_block. */
  readonly totals: readonly Omit<SealedCount, 'hour'>[]
  readonly classes: readonly KeptClass[]
}

const latelyHours = 24
const hourMs = 3_600_000
const hoursPerDay = 24

export async function readStorageSizes(client: PoolClient): Promise<StorageSizes> {
  const { rows } = await client.query<{ bytes: number }>('select pg_database_size(current_database())::float8 as bytes')
  const partitions = await readPartitions(client)
  const lately = await client.query<CountRow>(
    `select hour, class, series_minutes::float8, series_hours::float8 from sealed_count
     where hour > (select max(hour) from sealed_count) - $1`,
    [latelyHours],
  )
  const first = await client.query<{ hour: number | null }>('select min(hour) as hour from sealed_count')
  const classes = await client.query<{ class: number; minute_hours: number; hour_hours: number }>(
    'select class, minute_hours, hour_hours from retention_class',
  )
  return {
    databaseBytes: rows[0]?.bytes ?? 0,
    partitions,
    lately: lately.rows.map((row) => ({ hour: row.hour, ...countOf(row) })),
    firstHour: first.rows[0]?.hour ?? undefined,
    totals: await readTotals(client, partitions),
    classes: classes.rows.map((row) => {
      return { class: row.class, minuteHours: row.minute_hours, hourHours: row.hour_hours }
    }),
  }
}

interface CountRow {
  readonly hour: number
  readonly class: number
  readonly series_minutes: number
  readonly series_hours: number
}

const countOf = (row: Omit<CountRow, 'hour'>) => {
  return { class: row.class, seriesMinutes: row.series_minutes, seriesHours: row.series_hours }
}

async function readPartitions(client: PoolClient): Promise<StoredPartition[]> {
  const { rows } = await client.query<{
    table: StoredPartition['table']
    bounds: string | null
    above: string | null
    bytes: number | null
    row_bytes: number | null
  }>(
    `select top.name as table, pg_get_expr(leaf.relpartbound, leaf.oid) as bounds, pg_get_expr(above.relpartbound, above.oid) as above,
            pg_total_relation_size(leaf.oid)::float8 as bytes, pg_relation_size(leaf.oid)::float8 as row_bytes
     from unnest(array['minute_block', 'hour_block', 'day_block', 'log_record']) as top (name)
     cross join lateral pg_partition_tree(to_regclass(top.name)) as tree
     join pg_class as leaf on leaf.oid = tree.relid join pg_class as above on above.oid = tree.parentrelid
     where tree.isleaf`,
  )
  return rows.map(({ table, bounds, above, bytes, row_bytes }) => {
    const span = spanOf(table, bounds ?? '')
    const [, ofClass = '0'] = /FOR VALUES IN \('?(-?\d+)'?\)/.exec(above ?? '') ?? []
    // Null: it was dropped meanwhile.
    return { table, bytes: bytes ?? 0, rowBytes: row_bytes ?? 0, class: Number(ofClass), ...span }
  })
}

function spanOf(table: StoredPartition['table'], bounds: string): Pick<StoredPartition, 'fromHour' | 'toHour'> {
  const [, from, to] = /FROM \('?([^')]+)'?\) TO \('?([^')]+)'?\)/.exec(bounds) ?? []
  if (from === undefined || to === undefined || table === 'log_record')
    return { fromHour: undefined, toHour: undefined }
  const hourOf = (text: string): number => {
    // 2026-11-21 09:00:00+00
    if (table === 'minute_block') return Date.parse(text.replace(' ', 'T').replace(/([+-]\d\d)$/, '$1:00')) / hourMs
    return table === 'hour_block' ? Number(text) : Number(text) * hoursPerDay
  }
  return { fromHour: hourOf(from), toHour: hourOf(to) }
}

/** Counts outlive the minutes they speak of; only those of partitions that are there are meant. */
async function readTotals(
  client: PoolClient,
  partitions: readonly StoredPartition[],
): Promise<Omit<SealedCount, 'hour'>[]> {
  const oldest = (table: StoredPartition['table'], ofClass: number): number =>
    Math.min(
      ...partitions.flatMap((one) => (one.table === table && one.class === ofClass ? (one.fromHour ?? []) : [])),
      2_147_483_647,
    )
  const classes = [...new Set(partitions.map((one) => one.class))]
  const { rows } = await client.query<Omit<CountRow, 'hour'>>(
    `select class, coalesce(sum(series_minutes) filter (where hour >= minutes_from), 0)::float8 as series_minutes,
            coalesce(sum(series_hours) filter (where hour >= hours_from), 0)::float8 as series_hours
     from sealed_count join unnest($1::smallint[], $2::integer[], $3::integer[]) as kept (class, minutes_from, hours_from) using (class)
     group by class`,
    [classes, classes.map((one) => oldest('hour_block', one)), classes.map((one) => oldest('day_block', one))],
  )
  return rows.map(countOf)
}
