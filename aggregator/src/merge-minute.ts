/**
 * The merge: what happens when a minute of a series is in the store already. A minute is a set of (second, value), and
 * we still have every value of the incoming one, so the rule is: add the seconds that the store has not seen.
 *
 *   disjoint            -> combine
 *   incoming a superset -> the incoming one (equal to combining, but summed in one go), unless a stored second had
 *                          another value: the first value of a second wins, so then only the new seconds are added
 *   incoming a subset   -> nothing changes
 *   partial overlap     -> combine with the seconds that are new
 *
 * Hence storing the same minute twice, in parts, in any order, by any number of processes, ends in the same state. Pure.
 */
import { mergeSums } from '@minutely/schema/decimal-sum'
import type { StoredMinute } from '@minutely/schema/minute-block/minute-block'
import { rollUp, secondsPerHalf } from './roll-up.ts'

/** `values`: the 60 cells of the incoming row. Returns `stored` itself when nothing is new. */
export function mergeRow(stored: StoredMinute, incoming: StoredMinute, values: Float64Array): StoredMinute {
  const newLow = incoming.low & ~stored.low
  const newHigh = incoming.high & ~stored.high
  if (newLow === 0 && newHigh === 0) return stored
  if (holds(incoming, stored, values)) return incoming
  const fresh = rollUp({ rowCount: 1, values: pick(values, { low: newLow, high: newHigh }) })
  return {
    low: stored.low | newLow,
    high: stored.high | newHigh,
    min: Math.min(stored.min, fresh.min[0] as number),
    max: Math.max(stored.max, fresh.max[0] as number),
    sum: mergeSums(stored.sum, fresh.sum[0] as number),
  }
}

/** True when the incoming row has all that is stored, with the same values as far as can be told. */
function holds(incoming: StoredMinute, stored: StoredMinute, values: Float64Array): boolean {
  if ((stored.low & ~incoming.low) !== 0 || (stored.high & ~incoming.high) !== 0) return false
  const { min, max, sum } = rollUp({ rowCount: 1, values: pick(values, stored) })
  return min[0] === stored.min && max[0] === stored.max && sum[0] === stored.sum
}

/** The cells of these seconds, NaN elsewhere. */
function pick(values: Float64Array, { low, high }: { low: number; high: number }): Float64Array {
  return values.map((value, second) => {
    const bit = second < secondsPerHalf ? low & (1 << second) : high & (1 << (second - secondsPerHalf))
    return bit === 0 ? Number.NaN : value
  })
}
