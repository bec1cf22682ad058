/**
 * Of all processes of a database the one that does some work: whoever holds an advisory lock of a session. The lock ends with its
 * connection, which is kept for as long as this process leads; what is written on it no other leader has written meanwhile.
 */
import type { Pool, PoolClient } from './pool.ts'

export class AdvisoryLeader {
  readonly #lock: number
  readonly #pool: Pool
  #client: PoolClient | undefined

  /** `lock`: any number of its own, the same in all processes. */
  constructor(lock: number, { pool }: { readonly pool: Pool }) {
    this.#lock = lock
    this.#pool = pool
  }

  /** @returns the connection that has the lock, undefined when another process leads. @throws when it is broken: then step down. */
  async lead(): Promise<PoolClient | undefined> {
    if (this.#client !== undefined) {
      await this.#client.query('select')
      return this.#client
    }
    const client = await this.#pool.connect()
    let isLeader = false
    try {
      const { rows } = await client.query<{ locked: boolean }>('select pg_try_advisory_lock($1) as locked', [
        this.#lock,
      ])
      isLeader = rows[0]?.locked === true
    } finally {
      if (!isLeader) client.release()
    }
    if (isLeader) this.#client = client
    return this.#client
  }

  /** The connection goes, and the lock with it. */
  stepDown(): void {
    this.#client?.release(true)
    this.#client = undefined
  }
}
