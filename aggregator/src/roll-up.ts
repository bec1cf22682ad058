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

/** Scans each row once, and once more for its sum. */
export function rollUp({ rowCount, values }: Pick<ClosedMinute, 'rowCount' | 'values'>): RolledMinute {
  const rolled = {
    rowCount,
    seenLow: new Int32Array(rowCount),
    seenHigh: new Int32Array(rowCount),
    min: new Float64Array(rowCount).fill(Number.POSITIVE_INFINITY),
    max: new Float64Array(rowCount).fill(Number.NEGATIVE_INFINITY),
    sum: new Float64Array(rowCount),
  }
  for (let row = 0; row < rowCount; row++) {
    const start = row * secondsPerMinute
    rolled.seenLow[row] = scanHalf(values, start, rolled, row)
    rolled.seenHigh[row] = scanHalf(values, start + secondsPerHalf, rolled, row)
    rolled.sum[row] = sumRow(values, start, secondsPerMinute)
  }
  return rolled
}

/** @returns which seconds of this half were seen; brings the row's min and max up to date. */
function scanHalf(values: Float64Array, start: number, { min, max }: RolledMinute, row: number): number {
  let lowest = min[row] as number
  let highest = max[row] as number
  let seen = 0
  for (let second = 0; second < secondsPerHalf; second++) {
    const value = values[start + second] as number
    if (Number.isNaN(value)) continue
    seen |= 1 << second
    if (value < lowest) lowest = value
    if (value > highest) highest = value
  }
  min[row] = lowest
  max[row] = highest
  return seen
}

/** Number of bits set in a half of `seen`. */
export function bitCount(bits: number): number {
  let rest = bits - ((bits >>> 1) & 0x55555555)
  rest = (rest & 0x33333333) + ((rest >>> 2) & 0x33333333)
  return (((rest + (rest >>> 4)) & 0x0f0f0f0f) * 0x01010101) >>> 24
}
