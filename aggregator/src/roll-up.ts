/** From a minute's matrix to its columns: which seconds were seen, min, max and sum of each row. Pure. */
import { sumRow } from '@minutely/schema/decimal-sum'
import { secondsPerMinute } from '@minutely/schema/limits'
import type { ClosedMinute } from './open-minute.ts'

/** Columns of a minute's rows, in the order of its rows. */
export interface RolledMinute {
  readonly rowCount: number
  /** Bit s: second s was seen, s in [0, 30). */
  readonly seenLow: Int32Array
  /** Bit s - 30: second s was seen, s in [30, 60). */
  readonly seenHigh: Int32Array
  readonly min: Float64Array
  readonly max: Float64Array
  readonly sum: Float64Array
}

export const secondsPerHalf = 30

/** Scans each row once. */
export function rollUp({ rowCount, values }: Pick<ClosedMinute, 'rowCount' | 'values'>): RolledMinute {
  const rolled = {
    rowCount,
    seenLow: new Int32Array(rowCount),
    seenHigh: new Int32Array(rowCount),
    min: new Float64Array(rowCount),
    max: new Float64Array(rowCount),
    sum: new Float64Array(rowCount),
  }
  for (let row = 0; row < rowCount; row++) {
    const start = row * secondsPerMinute
    let min = Number.POSITIVE_INFINITY
    let max = Number.NEGATIVE_INFINITY
    let low = 0
    let high = 0
    for (let second = 0; second < secondsPerMinute; second++) {
      const value = values[start + second] as number
      if (Number.isNaN(value)) continue
      if (second < secondsPerHalf) low |= 1 << second
      else high |= 1 << (second - secondsPerHalf)
      if (value < min) min = value
      if (value > max) max = value
    }
    rolled.seenLow[row] = low
    rolled.seenHigh[row] = high
    rolled.min[row] = min
    rolled.max[row] = max
    rolled.sum[row] = sumRow(values, start, secondsPerMinute)
  }
  return rolled
}

/** Number of bits set in a half of `seen`. */
export function bitCount(bits: number): number {
  let rest = bits - ((bits >>> 1) & 0x55555555)
  rest = (rest & 0x33333333) + ((rest >>> 2) & 0x33333333)
  return (((rest + (rest >>> 4)) & 0x0f0f0f0f) * 0x01010101) >>> 24
}
