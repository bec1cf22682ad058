/**
 * The hourly partitions of the table `minute_block`: made before an hour's first minute is stored, dropped whole when all of it is older
 * than the retention. Names say the hour in UTC: minute_block_2026112109. They live for hours and blocks are hardly ever changed, so
 * nothing is vacuumed: freezing and counting what is about to be dropped would write them once more.
 */
import type { Pool, PoolClient } from '@minutely/lib/postgres/pool'
import { dropBriefly } from './drop-briefly.ts'

const hourMs = 3_600_000
/** Postgres: a relation of that name exists. Two processes may make the same one. */
const duplicateTableCode = '42P07'

export class MinutePartitions {
  readonly #pool: Pool
  readonly #known = new Set<number>()

  constructor(pool: Pool) {
    this.#pool = pool
  }

  /** Makes the partition of this minute if it is missing; free when it is known. */
  async ensure(minuteMs: number): Promise<void> {
    const hourStartMs = Math.floor(minuteMs / hourMs) * hourMs
    if (this.#known.has(hourStartMs)) return
    const from = new Date(hourStartMs).toISOString()
    const to = new Date(hourStartMs + hourMs).toISOString()
    try {
      await this.#pool.query(
        `create table if not exists ${minutePartitionName(hourStartMs)} partition of minute_block
         for values from ('${from}') to ('${to}') with (autovacuum_enabled = off)`,
      )
    } catch (error) {
      if ((error as { code?: string }).code !== duplicateTableCode) throw error
    }
    this.#known.add(hourStartMs)
  }

  /** Another process dropped one, or the database was restored: ask it again. */
  forget(): void {
    this.#known.clear()
  }

  /** @returns names of the partitions that were dropped because all of them is before this instant. */
  async dropBefore(instantMs: number): Promise<string[]> {
    const dropped: string[] = []
    for (const hourStartMs of await listMinutePartitions(this.#pool)) {
      if (hourStartMs + hourMs > instantMs) continue
      const name = minutePartitionName(hourStartMs)
      // Another process may have sealed it meanwhile.
      if (!(await dropBriefly(this.#pool, `drop table if exists ${name}`))) continue
      this.#known.delete(hourStartMs)
      dropped.push(name)
    }
    return dropped
  }
}

/** @returns when their hours start, in ascending order. */
export async function listMinutePartitions(client: Pool | PoolClient): Promise<number[]> {
  const { rows } = await client.query<{ name: string }>(
    `select relname as name from pg_inherits join pg_class on pg_class.oid = inhrelid
     where inhparent = 'minute_block'::regclass order by relname`,
  )
  return rows.flatMap(({ name }) => startOf(name) ?? [])
}

export function minutePartitionName(hourStartMs: number): string {
  return `minute_block_${new Date(hourStartMs).toISOString().slice(0, 13).replace(/\D/g, '')}`
}

function startOf(name: string): number | undefined {
  const [, year, month, day, hour] = /^minute_block_(\d{4})(\d\d)(\d\d)(\d\d)$/.exec(name) ?? []
  return year === undefined ? undefined : Date.UTC(Number(year), Number(month) - 1, Number(day), Number(hour))
}
