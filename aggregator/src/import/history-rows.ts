/** History into the hot tier: an hour of points, minute by minute, through the merge that late data goes through. In the caller's transaction. */
import type { PoolClient } from '@minutely/lib/postgres/pool'
import { minutesPerHour } from '@minutely/schema/hour-block/minute-columns'
import { minuteMs, secondsPerMinute } from '@minutely/schema/limits'
import { rollUp } from '../roll-up.ts'
import { hourMs } from '../sealing/hour-locks.ts'
import { storeRows } from '../store-chunks.ts'
import type { HourPoints } from './hour-points.ts'

export interface HistoryRows {
  /** Hours since 1970. */
  readonly hour: number
  readonly series: readonly { readonly seriesId: number; readonly tenantId: number; readonly points: HourPoints }[]
  /** The hour has a row in hour_seal, under whose lock the caller is. */
  readonly maybeSealed: boolean
}

/** @returns seconds that were new. */
export async function mergeHistoryRows(
  client: PoolClient,
  { hour, series, maybeSealed }: HistoryRows,
): Promise<number> {
  let added = 0
  const matrix = new Float64Array(series.length * secondsPerMinute)
  for (let minute = 0; minute < minutesPerHour; minute++) {
    const seriesIds: number[] = []
    const tenantIds: number[] = []
    for (const { seriesId, tenantId, points } of series) {
      const at = seriesIds.length * secondsPerMinute
      if (!points.cells(minute, matrix.subarray(at, at + secondsPerMinute))) continue
      seriesIds.push(seriesId)
      tenantIds.push(tenantId)
    }
    const rowCount = seriesIds.length
    if (rowCount === 0) continue
    const values = matrix.subarray(0, rowCount * secondsPerMinute)
    const rows = {
      minuteMs: hour * hourMs + minute * minuteMs,
      rolled: rollUp({ rowCount, values }),
      seriesIds: Int32Array.from(seriesIds),
      tenantIds: Int32Array.from(tenantIds),
    }
    const { newSeconds } = await storeRows(client, rows, { values, maybeSealed })
    added += newSeconds
  }
  return added
}
