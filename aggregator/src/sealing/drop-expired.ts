/** Retention of the sealed tiers: partitions of each class are dropped when all of them is older than the class is kept. */
import type { Pool } from '@minutely/lib/postgres/pool'
import { dropBriefly } from '../drop-briefly.ts'
import type { Retention } from '../retention.ts'
import { hourOf } from './hour-locks.ts'
import { readClasses } from './retention-classes.ts'
import { listTierPartitions, type TierPartition } from './tier-partitions.ts'
import { hourTable } from './tier-table.ts'

const hoursPerDay = 24

/** @returns names of the partitions that were dropped. */
export async function dropExpired(pool: Pool, retention: Retention, nowMs: number): Promise<string[]> {
  const classes = new Map((await readClasses(pool, retention)).map((one) => [one.class, one]))
  const partitions = await listTierPartitions(pool)
  const nowHour = hourOf(nowMs)
  const expired = partitions.filter(({ table, class: number, toHour }) => {
    const kept = classes.get(number)
    if (kept === undefined) return false
    return toHour + (table === hourTable ? kept.minuteHours : kept.hourHours) <= nowHour
  })
  // Minutes first: where both are due, no reader finds minutes without their hours.
  const isHour = ({ table }: (typeof expired)[number]): number => Number(table === hourTable)
  const dropped: TierPartition[] = []
  for (const partition of expired.toSorted((a, b) => isHour(b) - isHour(a))) {
    if (await drop(pool, partition)) dropped.push(partition)
  }
  const left = partitions.filter((one) => !dropped.includes(one))
  await forgetSeals(
    pool,
    left.filter(({ table }) => table === hourTable).map(({ fromHour }) => fromHour),
    {
      beforeHour: Math.floor((nowHour - retention.minuteHoursMax) / hoursPerDay) * hoursPerDay,
    },
  )
  const oldestHour = Math.min(...left.map(({ fromHour }) => fromHour), nowHour)
  await pool.query('delete from sealed_count where hour < $1', [oldestHour])
  return dropped.map(({ name }) => name)
}

/**
 * Blocks of hours that stay sealed may be dropped, where other classes are kept for longer. Readers keep blocks for as long as the row of their
 * hour is the same (query-api/src/sealed-cache.ts): so it is written anew, in the same transaction, and first, as sealers and flushes do.
 */
function drop(pool: Pool, { name, table, fromHour, toHour }: TierPartition): Promise<boolean> {
  const renewed =
    table === hourTable
      ? `update hour_seal set tried_at = tried_at from (
           select hour from hour_seal where hour >= ${fromHour} and hour < ${toHour} order by hour for update) as locked
         where hour_seal.hour = locked.hour; `
      : ''
  return dropBriefly(pool, `${renewed}drop table if exists ${name}`)
}

/** An hour's row of hour_seal goes with the last of its blocks: as long as there is one, writers must know of it. */
async function forgetSeals(
  pool: Pool,
  blocksFrom: readonly number[],
  { beforeHour }: { readonly beforeHour: number },
): Promise<void> {
  await pool.query('delete from hour_seal where hour < $1', [Math.min(beforeHour, ...blocksFrom)])
}
