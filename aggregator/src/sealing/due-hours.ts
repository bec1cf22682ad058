/** Which hours are to be sealed now, oldest first, by what is closed, by the retention and by what was tried before. */
import type { PoolClient } from '@minutely/lib/postgres/pool'
import { listMinutePartitions } from '../minute-partitions.ts'
import type { Retention } from '../retention.ts'
import { hourMs, hourOf } from './hour-locks.ts'

export interface DueConfig {
  /** 0: never. */
  readonly sealAfterMinutes: number
  readonly resealAfterMinutes: number
  readonly retention: Retention
}

export interface DueHour {
  /** Hours since 1970. */
  readonly hour: number
  /** finish: it is sealed, and what is left of its hot partition is empty: a flush made it, and had nothing new. */
  readonly work: 'seal' | 'finish'
}

export interface DueHours {
  readonly hours: readonly DueHour[]
  /** How long ago the oldest that is not sealed was to be, whether or not its turn is now. */
  readonly oldestDueMs: number
}

interface SealRow {
  readonly hour: number
  readonly state: 'sealing' | 'sealed'
  readonly dirty: boolean
  readonly tried_ms: number
}

export async function findDueHours(client: PoolClient, config: DueConfig, nowMs: number): Promise<DueHours> {
  const { sealAfterMinutes, resealAfterMinutes, retention } = config
  const throughMs = await readCompleteThrough(client)
  const delayMs = sealAfterMinutes * 60_000
  const isDue = (startMs: number): boolean =>
    sealAfterMinutes > 0 &&
    startMs + hourMs + delayMs <= throughMs &&
    // What retention drops next is not packed before.
    startMs + hourMs > nowMs - retention.minuteHoursMax * hourMs
  const hours = (await listMinutePartitions(client)).filter(isDue).map(hourOf)
  const { rows } = await client.query<SealRow>(
    `select hour, state, dirty, (extract(epoch from tried_at) * 1000)::float8 as tried_ms
     from hour_seal where hour = any ($1::integer[])`,
    [hours],
  )
  const sealOf = new Map(rows.map((row) => [row.hour, row]))
  const due: DueHour[] = []
  let oldestDueMs = 0
  for (const hour of hours) {
    const seal = sealOf.get(hour)
    if (seal?.state !== 'sealed') oldestDueMs = Math.max(oldestDueMs, throughMs - (hour + 1) * hourMs - delayMs)
    if (seal?.state === 'sealed' && !seal.dirty) due.push({ hour, work: 'finish' })
    else if (seal === undefined || seal.tried_ms + resealAfterMinutes * 60_000 <= nowMs)
      due.push({ hour, work: 'seal' })
  }
  return { hours: due, oldestDueMs }
}

/** Every minute before it is closed and stored. */
async function readCompleteThrough(client: PoolClient): Promise<number> {
  const { rows } = await client.query<{ at: Date | null }>(
    'select min(complete_through_at) as at from partition_progress',
  )
  return rows[0]?.at?.getTime() ?? 0
}
