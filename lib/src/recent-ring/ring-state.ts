/**
 * Which ring may be read: the table ring_state, one row. Three moves, each with a new and larger epoch:
 *
 *   void    a merged row could not be pushed, or the database lost commits: no ring, until somebody adopts
 *   adopt   the repair (aggregator/src/ring-repair.ts) takes the Redis it is connected to, with an empty ring
 *   void    again ...
 *
 * The epoch is the database's clock in microseconds, or one more than before if that is larger, so that it is not used
 * twice even if the database is restored to an earlier state.
 */
import type { Pool, PoolClient } from '../postgres/pool.ts'
import type { RingIdentity } from './recent-ring.ts'

const nextEpoch = `greatest(epoch + 1, (extract(epoch from clock_timestamp()) * 1000000)::bigint)`

interface StateRow {
  readonly epoch: string
  readonly run_id: string | null
}

/** `share`: it stays as it is until the transaction ends. */
export async function readRingIdentity(
  client: Pool | PoolClient,
  lock: 'share' | 'none' = 'none',
): Promise<RingIdentity> {
  const suffix = lock === 'share' ? ' for share' : ''
  const { rows } = await client.query<StateRow>(`select epoch::text, run_id from ring_state${suffix}`)
  return identityOf(rows)
}

/**
 * From now on there is no ring, until one is adopted. `unless` it is another one than `only` already; without `only`, in
 * any case.
 */
export async function voidRing(pool: Pool | PoolClient, reason: string, only?: RingIdentity): Promise<void> {
  await pool.query(
    `update ring_state set epoch = ${nextEpoch}, run_id = null, changed_at = now(), reason = $1
     where $2::bigint is null or epoch = $2::bigint`,
    [reason, only?.epoch ?? null],
  )
}

/** @returns the new identity, or whatever it is when it was no longer `before`. */
export async function adoptRing(pool: Pool, runId: string, before: RingIdentity): Promise<RingIdentity> {
  await pool.query(
    `update ring_state set epoch = ${nextEpoch}, run_id = $1, changed_at = now(), reason = 'adopted'
     where epoch = $2::bigint`,
    [runId, before.epoch],
  )
  return readRingIdentity(pool)
}

function identityOf(rows: readonly StateRow[]): RingIdentity {
  const [row] = rows
  // Before the migration, or somebody deleted it: no ring.
  return { epoch: row?.epoch ?? '0', runId: row?.run_id ?? undefined }
}
