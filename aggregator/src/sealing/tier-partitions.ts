/**
 * Partitions of the sealed tiers: by class of retention, then by time. A class has a table in each tier, `hour_block_c3`; below it is a partition
 * for each span of whole hours, made when an hour of it is sealed and dropped whole when all of it is older than the class is kept:
 *
 *   hour_block ── hour_block_c0 ── hour_block_20261121                 class 0, a day (as they were named before there were classes)
 *              └─ hour_block_c3 ── hour_block_c3_2026112106_6h         class 3, six hours from 06:00 UTC
 *   day_block  ── day_block_c0  ── day_block_c0_2026110300_768h        class 0, 32 days
 *
 * What is kept longer lies in longer spans: few tables, and what is kept past its time is a small part of it. Spans begin at multiples of
 * their length since 1970 and never overlap: after a change of the retention a shorter one fills what is left between others.
 */
import type { Pool, PoolClient } from '@minutely/lib/postgres/pool'
import { dayTable, hourTable, type TierTable } from './tier-table.ts'

const hourMs = 3_600_000
/** Any constant: one lock for whoever makes partitions. */
const advisoryLock = 7_070_011
const hoursPerDay = 24

export interface TierPartition {
  readonly table: TierTable
  readonly name: string
  readonly class: number
  /** Hours since 1970; half-open. */
  readonly fromHour: number
  readonly toHour: number
}

export interface WantedPartition {
  readonly table: TierTable
  readonly class: number
  readonly hour: number
  /** How long the class is kept in this tier. */
  readonly keptHours: number
}

/** Longest first: so much of the retention, at least, has a partition of that length. */
const spans: Readonly<Record<TierTable['name'], readonly { readonly hours: number; readonly keptHoursMin: number }[]>> =
  {
    hour_block: [
      { hours: hoursPerDay, keptHoursMin: 2 * hoursPerDay },
      { hours: 6, keptHoursMin: 12 },
      { hours: 1, keptHoursMin: 0 },
    ],
    day_block: [
      { hours: 32 * hoursPerDay, keptHoursMin: 128 * hoursPerDay },
      { hours: 8 * hoursPerDay, keptHoursMin: 32 * hoursPerDay },
      { hours: hoursPerDay, keptHoursMin: 0 },
    ],
  }

/** How much longer than its retention something may stay: until all of its partition may go. */
export function spanHours({ name }: TierTable, keptHours: number): number {
  const span = spans[name].find(({ keptHoursMin }) => keptHours >= keptHoursMin)
  return span?.hours ?? hoursPerDay
}

/** To be called in a brief transaction: it locks the table for whoever reads it. */
export async function ensurePartitions(client: PoolClient, wanted: readonly WantedPartition[]): Promise<void> {
  // A sealer and imports may want the same one.
  await client.query(`select pg_advisory_xact_lock(${advisoryLock})`)
  const existing = await listTierPartitions(client)
  const classes = await listClassTables(client)
  for (const one of wanted) {
    const { table, class: ofClass, hour } = one
    const siblings = existing.filter((other) => other.table === table && other.class === ofClass)
    if (siblings.some(({ fromHour, toHour }) => fromHour <= hour && hour < toHour)) continue
    const parent = `${table.name}_c${ofClass}`
    if (!classes.has(parent)) {
      await client.query(
        `create table ${parent} partition of ${table.name} (primary key (series_id, ${table.key}))
         for values in (${ofClass}) partition by range (${table.key})`,
      )
      classes.add(parent)
    }
    const made = choosePartition(one, siblings)
    const bounds = [made.fromHour / table.keyHours, made.toHour / table.keyHours]
    await client.query(
      `create table ${made.name} partition of ${parent} for values from (${bounds[0]}) to (${bounds[1]})`,
    )
    existing.push(made)
  }
}

function choosePartition(wanted: WantedPartition, siblings: readonly TierPartition[]): TierPartition {
  const { table, class: ofClass, hour, keptHours } = wanted
  for (const { hours, keptHoursMin } of spans[table.name]) {
    const fromHour = Math.floor(hour / hours) * hours
    const toHour = fromHour + hours
    const overlaps = siblings.some((other) => other.fromHour < toHour && fromHour < other.toHour)
    if (keptHours < keptHoursMin || overlaps) continue
    return { table, class: ofClass, fromHour, toHour, name: nameOf({ table, class: ofClass, fromHour, hours }) }
  }
  throw new Error(`BUG: hour ${hour} of class ${ofClass} is in no partition of ${table.name} and fits into none`)
}

export async function listTierPartitions(client: Pool | PoolClient): Promise<TierPartition[]> {
  const { rows } = await client.query<{ name: string }>(
    `select relname as name from pg_inherits as top
     join pg_inherits as below on below.inhparent = top.inhrelid join pg_class on pg_class.oid = below.inhrelid
     where top.inhparent in ('hour_block'::regclass, 'day_block'::regclass) order by relname`,
  )
  return rows.flatMap(({ name }) => parse(name) ?? [])
}

async function listClassTables(client: PoolClient): Promise<Set<string>> {
  const { rows } = await client.query<{ name: string }>(
    `select relname as name from pg_inherits join pg_class on pg_class.oid = inhrelid
     where inhparent in ('hour_block'::regclass, 'day_block'::regclass)`,
  )
  return new Set(rows.map(({ name }) => name))
}

function nameOf(of: { table: TierTable; class: number; fromHour: number; hours: number }): string {
  const start = new Date(of.fromHour * hourMs).toISOString().slice(0, 13).replace(/\D/g, '')
  if (of.table === hourTable && of.class === 0 && of.hours === hoursPerDay) return `hour_block_${start.slice(0, 8)}`
  return `${of.table.name}_c${of.class}_${start}_${of.hours}h`
}

function parse(name: string): TierPartition | undefined {
  const pattern = /^(hour_block|day_block)(?:_c(\d+))?_(\d{4})(\d\d)(\d\d)(\d\d)?(?:_(\d+)h)?$/
  const [, table, ofClass = '0', year, month, day, hour = '0', hours = hoursPerDay] = pattern.exec(name) ?? []
  if (table === undefined) return undefined
  const fromHour = Date.UTC(Number(year), Number(month) - 1, Number(day), Number(hour)) / hourMs
  return {
    table: table === 'day_block' ? dayTable : hourTable,
    name,
    class: Number(ofClass),
    fromHour,
    toHour: fromHour + Number(hours),
  }
}
