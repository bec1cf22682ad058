/**
 * Who may touch an hour while it is sealed (seal-hour.ts): an advisory lock for each hour, shared by flushes, exclusive for the two
 * short steps in which its row of `hour_seal` changes. A flush takes it before it reads that row and touches `minute`, and holds it
 * to its end, so what it was told stays true:
 *
 *   no row      nothing of the hour is sealed, nor will anybody read its rows to seal them before we have committed
 *   a row       parts may be sealed: rows are whole states of minutes, and `dirty` says that there are new ones
 *
 * Flushes take their hours in ascending order; a sealer waits for one hour at a time, and briefly.
 */
import type { PoolClient } from '@minutely/lib/postgres/pool'

/** Any constant: first half of the key, the hour is the second. */
const advisoryClass = 7_070_003
export const hourMs = 3_600_000

export const hourOf = (instantMs: number): number => Math.floor(instantMs / hourMs)

/**
 * For a flush, in its transaction, after lockProgress: one round trip.
 * @returns those that may have something sealed; they are dirty from now on.
 */
export async function shareHours(client: PoolClient, hours: Iterable<number>): Promise<ReadonlySet<number>> {
  const list = [...new Set(hours)].sort((a, b) => a - b).join()
  if (list === '') return new Set()
  // One string of two statements, each with a snapshot of its own: the row is read when the locks are held.
  const results = (await client.query(
    `select pg_advisory_xact_lock_shared(${advisoryClass}, hour) from unnest(array[${list}]) as hour;
     select hour from hour_seal where hour in (${list}) order by hour`,
  )) as unknown as readonly { rows: { hour: number }[] }[]
  const sealed = results.at(-1)?.rows.map(({ hour }) => hour) ?? []
  if (sealed.length > 0) {
    await client.query(
      `update hour_seal set dirty = true from (
         select hour from hour_seal where hour = any($1::integer[]) and not dirty order by hour for update) as locked
       where hour_seal.hour = locked.hour`,
      [sealed],
    )
  }
  return new Set(sealed)
}

/** For a sealer, in a transaction with a short lock_timeout. Waits for the flushes that share it. */
export async function holdHour(client: PoolClient, hour: number): Promise<void> {
  await client.query(`select pg_advisory_xact_lock(${advisoryClass}, $1)`, [hour])
}

/** For an importer: several, in ascending order, in a transaction with a short lock_timeout. */
export async function holdHours(client: PoolClient, hours: readonly number[]): Promise<void> {
  await client.query(
    `select pg_advisory_xact_lock(${advisoryClass}, hour) from unnest($1::integer[]) with ordinality as wanted (hour, place)
     order by place`,
    [hours.toSorted((a, b) => a - b)],
  )
}
