/**
 * Drops of partitions that do not make others wait. A drop needs the whole table for itself; while it waits for a reader, all others
 * queue behind it, whichever hour they want. So it waits briefly, a few times, and else not at all: what stays is dropped the next time.
 */
import type { Pool } from '@minutely/lib/postgres/pool'

const lockTimeoutMs = 200
const attemptsMax = 5
/** Postgres: lock_not_available. */
const busyCode = '55P03'

/** `sql`: statements, run as one transaction. @returns false when somebody held what is to be dropped all the time. */
export async function dropBriefly(pool: Pool, sql: string): Promise<boolean> {
  for (let attempt = 0; attempt < attemptsMax; attempt++) {
    try {
      await pool.query(`set local lock_timeout = ${lockTimeoutMs}; ${sql}`)
      return true
    } catch (error) {
      if ((error as { code?: string }).code !== busyCode) throw error
    }
  }
  return false
}
