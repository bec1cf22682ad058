/**
 * What the disk will hold. Pure. A tier that is kept for so long grows by as much a day as it does now, until its oldest partition goes as
 * fast as the newest comes; then it is settled:
 *
 *   bytes
 *     |         ___________ settled = a day's growth x (retention + a partition)
 *     |      ／
 *     |   ／ ← stored now
 *     |／_________________ time
 *
 * Metrics that are kept for different times are a sum of such lines. Everything else is taken to stay as large as it is.
 */
const dayMs = 86_400_000

/** A class of retention in a tier. */
export interface Growth {
  readonly storedBytes: number
  readonly perDayBytes: number
  /** Retention, and how much longer a partition stays until all of it may go. */
  readonly keptDays: number
}

export const settledBytesOf = ({ perDayBytes, keptDays }: Growth): number => perDayBytes * keptDays

/** 0: it is settled, or shrinks. */
export function settlesInDays(growth: Growth): number {
  const missing = settledBytesOf(growth) - growth.storedBytes
  return missing <= 0 || growth.perDayBytes <= 0 ? 0 : missing / growth.perDayBytes
}

/** How much it will have grown by then. */
function grownBytes(growth: Growth, days: number): number {
  return growth.perDayBytes * Math.min(days, settlesInDays(growth))
}

/** @returns the instant at which so much is taken; null when all is settled before. */
export function fullAtMs(growths: readonly Growth[], spareBytes: number, nowMs: number): number | null {
  if (spareBytes <= 0) return nowMs
  // Between two instants at which something settles, growth is a straight line.
  let [beforeDays, beforeBytes] = [0, 0]
  for (const days of growths.map(settlesInDays).toSorted((a, b) => a - b)) {
    const bytes = growths.reduce((sum, growth) => sum + grownBytes(growth, days), 0)
    if (bytes >= spareBytes) {
      const share = (spareBytes - beforeBytes) / (bytes - beforeBytes)
      return Math.round(nowMs + (beforeDays + share * (days - beforeDays)) * dayMs)
    }
    ;[beforeDays, beforeBytes] = [days, bytes]
  }
  return null
}
