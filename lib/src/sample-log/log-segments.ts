/**
 * Segments of the Postgres log: one child table of log_record for each segmentMs of append time. Made ahead, dropped
 * whole once every group has read past them and they are older than keepMs; never a row deleted, so nothing to vacuum.
 *
 *   segment 41        segment 42        segment 43        segment 44
 *   |---------------- |---------------- |---------------- |----------------
 *    all groups read    a group is here    appends go here   made ahead
 *    dropped at keepMs  kept
 */
import { inTransaction, type Pool } from '../postgres/pool.ts'

export interface SegmentOptions {
  readonly segmentMs: number
  /** How long what every group has read is kept. */
  readonly keepMs: number
}

const childName = (segment: number): string => `log_record_s${segment}`

export class LogSegments {
  readonly #pool: Pool
  readonly #options: SegmentOptions

  constructor(pool: Pool, options: SegmentOptions) {
    this.#pool = pool
    this.#options = options
  }

  segmentOf(instantMs: number): number {
    return Math.floor(instantMs / this.#options.segmentMs)
  }

  /** Makes the segments of this instant and the next one if they are missing. */
  async makeAhead(nowMs: number): Promise<void> {
    const current = this.segmentOf(nowMs)
    const existing = new Set(await this.#list())
    for (const segment of [current, current + 1]) {
      if (existing.has(segment)) continue
      await this.#pool.query(
        `create table if not exists ${childName(segment)} partition of log_record
         for values from (${segment}) to (${segment + 1}) with (autovacuum_enabled = off, toast.autovacuum_enabled = off)`,
      )
    }
  }

  /** Drops what no group needs any more. @returns how many segments went. */
  async drop(nowMs: number): Promise<number> {
    const oldest = this.segmentOf(nowMs - this.#options.keepMs)
    let dropped = 0
    for (const segment of await this.#list()) {
      if (segment >= oldest || !(await this.#readByAll(segment))) continue
      await inTransaction(this.#pool, async (client) => {
        // Readers hold the parent only for a read; if one lingers, the next round will do.
        await client.query("set local lock_timeout = '2s'")
        await client.query(`drop table ${childName(segment)}`)
      })
      dropped++
    }
    return dropped
  }

  /** Bytes on disk of all segments, TOAST and indexes included. */
  async sizeBytes(): Promise<number> {
    const { rows } = await this.#pool.query<{ bytes: string }>(
      `select coalesce(sum(pg_total_relation_size(inhrelid)), 0) as bytes
       from pg_inherits where inhparent = 'log_record'::regclass`,
    )
    return Number(rows[0]?.bytes ?? 0)
  }

  /** True when every partition's records in the segment lie before what every known group has committed. */
  async #readByAll(segment: number): Promise<boolean> {
    const { rows } = await this.#pool.query<{ unread: boolean }>(
      `select exists (
         select from (select partition, max(position) as last from ${childName(segment)} group by partition) held
         where not exists (select from log_group where log_group.partition = held.partition)
            or exists (select from log_group
                       where log_group.partition = held.partition and log_group.position <= held.last)
       ) as unread`,
    )
    return rows[0]?.unread === false
  }

  async #list(): Promise<number[]> {
    const { rows } = await this.#pool.query<{ segment: number }>(
      `select substring(relname from 'log_record_s(\\d+)$')::integer as segment
       from pg_inherits join pg_class on pg_class.oid = inhrelid
       where inhparent = 'log_record'::regclass order by 1`,
    )
    return rows.map(({ segment }) => segment)
  }
}
