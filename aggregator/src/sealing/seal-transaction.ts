/**
 * Transactions on the sealer's one connection. It holds the lock of the one that seals, for as long as it lives: so whatever is written
 * on it, no other sealer has written meanwhile, and a sealer that was replaced (paused, cut off) has no connection to write on.
 */
import type { PoolClient } from '@minutely/lib/postgres/pool'

/** Of the two short steps: readers and flushes queue up behind whoever waits for a lock. */
const lockTimeoutMs = 200
const lockTimeoutCode = '55P03'

/** The error of a failed rollback is that of a broken connection: whoever uses it next is told. */
export async function inClientTransaction<T>(client: PoolClient, work: () => Promise<T>): Promise<T> {
  await client.query('begin')
  try {
    const result = await work()
    await client.query('commit')
    return result
  } catch (error) {
    await client.query('rollback').catch(() => {})
    throw error
  }
}

/** @returns 'busy' when a lock was not to be had in time. */
export async function inBriefTransaction<T>(client: PoolClient, work: () => Promise<T>): Promise<T | 'busy'> {
  try {
    return await inClientTransaction(client, async () => {
      await client.query(`set local lock_timeout = ${lockTimeoutMs}`)
      return work()
    })
  } catch (error) {
    if ((error as { code?: string }).code === lockTimeoutCode) return 'busy'
    throw error
  }
}
