/** Minutes into the simulated database: the fast path that fails when a row exists, and the merge, row by row under locks. */
import type { mergeRow } from '@minutely/aggregator/merge-minute'
import type { MinuteRows } from '@minutely/aggregator/minute-chunks'
import type { ClosedMinute } from '@minutely/aggregator/open-minute'
import { bitCount } from '@minutely/aggregator/roll-up'
import { secondsPerMinute } from '@minutely/schema/limits'
import type { StoredMinute } from '@minutely/schema/minute-block/minute-block'
import type { SimTransaction } from './sim-database.ts'
import { minuteKey } from './sim-tables.ts'
import { sealedMinute, type Tiers } from './sim-tiers.ts'

/** @returns false when a row existed already: then nothing was stored. */
export function copyRows(transaction: SimTransaction, { minuteMs, rolled, seriesIds }: MinuteRows): Promise<boolean> {
  return transaction.statement('copy', async () => {
    const saved = { locks: new Set(transaction.locks), writes: new Map(transaction.writes) }
    for (let row = 0; row < rolled.rowCount; row++) {
      const key = minuteKey(seriesIds[row] as number, minuteMs)
      await transaction.lock(key)
      if (transaction.get(key) !== undefined) {
        transaction.rollBackTo(saved)
        return false
      }
      transaction.put(key, rowAt(rolled, row))
    }
    return true
  })
}

export interface MergeSource {
  readonly minute: ClosedMinute
  readonly merge: typeof mergeRow
  /** Where some of it may be in blocks. */
  readonly tiers: Tiers | undefined
}

/** Leaves in the rows what is stored then. @returns how many seconds were new. */
export function mergeRows(
  transaction: SimTransaction,
  rows: MinuteRows,
  { minute, merge, tiers }: MergeSource,
): Promise<number> {
  const { rolled, seriesIds, minuteMs } = rows
  return transaction.statement('merge', async () => {
    let newSeconds = 0
    for (let row = 0; row < rolled.rowCount; row++) {
      const key = minuteKey(seriesIds[row] as number, minuteMs)
      await transaction.lock(key)
      const hot = transaction.get<StoredMinute>(key)
      const at = { atMs: minuteMs, seriesId: seriesIds[row] as number }
      const existing = hot ?? (tiers && sealedMinute(transaction, at.seriesId, { ...at, ...tiers }))
      const values = minute.values.subarray(row * secondsPerMinute, (row + 1) * secondsPerMinute)
      const incoming = rowAt(rolled, row)
      const merged = existing === undefined ? incoming : merge(existing, incoming, values)
      // What a block has it all needs no row.
      if (hot !== undefined || merged !== existing) transaction.put(key, merged)
      newSeconds += countOf(merged) - (existing === undefined ? 0 : countOf(existing))
      rolled.seenLow[row] = merged.low
      rolled.seenHigh[row] = merged.high
      rolled.min[row] = merged.min
      rolled.max[row] = merged.max
      rolled.sum[row] = merged.sum
    }
    return newSeconds
  })
}

function rowAt({ seenLow, seenHigh, min, max, sum }: MinuteRows['rolled'], row: number): StoredMinute {
  return {
    low: seenLow[row] as number,
    high: seenHigh[row] as number,
    min: min[row] as number,
    max: max[row] as number,
    sum: sum[row] as number,
  }
}

function countOf({ low, high }: StoredMinute): number {
  return bitCount(low) + bitCount(high)
}
