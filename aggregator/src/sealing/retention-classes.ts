/**
 * The numbers of the retention's patterns, in `retention_class`. A pattern has its number for good, so that what was sealed stays in its
 * partitions when the setting changes: a new duration applies to all of them, a pattern that is taken out is kept as the rest is.
 */
import { inTransaction, type Pool, type PoolClient } from '@minutely/lib/postgres/pool'
import { type Kept, type Retention, restPattern } from '../retention.ts'

export interface KeptClass extends Kept {
  readonly class: number
  /** Stands in the setting. */
  readonly isCurrent: boolean
}

/** Writes what the setting says, where it is not so yet. @returns all classes that there are. */
export async function syncClasses(pool: Pool, retention: Retention): Promise<KeptClass[]> {
  const { rows } = await pool.query<{ pattern: string; minute_hours: number; hour_hours: number; is_current: boolean }>(
    'select pattern, minute_hours, hour_hours, is_current from retention_class',
  )
  const isKnown = retention.all.every(({ pattern }) => rows.some((row) => row.pattern === pattern))
  const isStored = rows.every(({ pattern, minute_hours, hour_hours, is_current }) => {
    const { minuteHours, hourHours } = retention.keptOf(pattern)
    return minute_hours === minuteHours && hour_hours === hourHours && is_current === isCurrent(retention, pattern)
  })
  if (!isKnown || !isStored) await inTransaction(pool, (client) => write(client, retention))
  return readClasses(pool, retention)
}

async function write(client: PoolClient, retention: Retention): Promise<void> {
  await client.query('lock table retention_class in share row exclusive mode')
  const current = retention.all.map(({ pattern }) => pattern)
  await client.query(
    `insert into retention_class (class, pattern, minute_hours, hour_hours, is_current)
     select (select max(class) from retention_class) + row_number() over (order by place), pattern, 0, 0, true
     from unnest($1::text[]) with ordinality as fresh (pattern, place)
     where pattern not in (select pattern from retention_class)`,
    [current],
  )
  for (const one of await readClasses(client, retention)) {
    await client.query(
      'update retention_class set minute_hours = $2, hour_hours = $3, is_current = $4 where class = $1',
      [one.class, one.minuteHours, one.hourHours, one.isCurrent],
    )
  }
}

const isCurrent = ({ all }: Retention, pattern: string): boolean => all.some((one) => one.pattern === pattern)

/** With the durations of this setting, whatever is stored. */
export async function readClasses(client: Pool | PoolClient, retention: Retention): Promise<KeptClass[]> {
  const { rows } = await client.query<{ class: number; pattern: string }>(
    'select class, pattern from retention_class order by class',
  )
  return rows.map(({ class: number, pattern }) => {
    const { minuteHours, hourHours } = retention.keptOf(pattern)
    return { class: number, pattern, minuteHours, hourHours, isCurrent: isCurrent(retention, pattern) }
  })
}

/** Which class new blocks of these series belong to. */
export async function classesOf(
  client: PoolClient,
  seriesIds: readonly number[],
  { retention, classes }: { readonly retention: Retention; readonly classes: readonly KeptClass[] },
): Promise<(seriesId: number) => number> {
  const numberOf = new Map(classes.map(({ pattern, class: number }) => [pattern, number]))
  const rest = numberOf.get(restPattern) ?? 0
  if (retention.all.length === 1 || seriesIds.length === 0) return () => rest
  const { rows } = await client.query<{ series_id: number; metric_id: string }>(
    'select series_id, metric_id from series where series_id = any ($1::integer[])',
    [seriesIds],
  )
  const classOf = new Map(
    rows.map(({ series_id, metric_id }) => [series_id, numberOf.get(retention.patternOf(metric_id)) ?? rest]),
  )
  return (seriesId) => classOf.get(seriesId) ?? rest
}
