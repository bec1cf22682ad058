/**
 * What the blocks of an hour have of one of its minutes: what late samples are merged with where nothing hot has the minute. Read under the
 * hour's shared lock (hour-locks.ts): a block that is written meanwhile has what these have, and what is hot.
 */
import { UnreadableHourError } from '@minutely/lib/minute-tiers/tier-merge'
import type { PoolClient } from '@minutely/lib/postgres/pool'
import { HourBlockError } from '@minutely/schema/hour-block/block-bytes'
import { HourBlockDecoder } from '@minutely/schema/hour-block/decode-hour-block'
import { createMinuteColumns, minutesPerHour } from '@minutely/schema/hour-block/minute-columns'
import { minuteMs } from '@minutely/schema/limits'
import type { StoredMinute } from '@minutely/schema/minute-block/minute-block'
import { hourMs, hourOf } from './hour-locks.ts'

/**
 * By series id; those that the blocks have nothing of are left out.
 * @throws UnreadableHourError: nothing may be stored in place of what cannot be read.
 */
export async function readSealedMinutes(
  client: PoolClient,
  minuteAtMs: number,
  seriesIds: readonly number[],
): Promise<Map<number, StoredMinute>> {
  if (seriesIds.length === 0) return new Map()
  const hour = hourOf(minuteAtMs)
  const slot = (minuteAtMs - hour * hourMs) / minuteMs
  const { rows } = await client.query<{ series_id: number; block: Buffer }>(
    'select series_id, block from hour_block where hour = $1 and series_id = any ($2::integer[])',
    [hour, seriesIds],
  )
  const decoder = new HourBlockDecoder()
  const columns = createMinuteColumns(minutesPerHour)
  const minutes = new Map<number, StoredMinute>()
  for (const { series_id: seriesId, block } of rows) {
    try {
      decoder.decode(block, columns, 0)
    } catch (error) {
      throw error instanceof HourBlockError ? new UnreadableHourError(seriesId, hour, error) : error
    }
    const [low, high] = [columns.seenLow[slot] as number, columns.seenHigh[slot] as number]
    if (low === 0 && high === 0) continue
    const [min, max, sum] = [columns.min[slot] as number, columns.max[slot] as number, columns.sum[slot] as number]
    minutes.set(seriesId, { low, high, min, max, sum })
  }
  return minutes
}
