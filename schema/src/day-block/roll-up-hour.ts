/**
 * Minutes of a series into its hour: min of mins, max of maxes, counts added, sums by the decimal rule (../decimal-sum.ts) in the order of
 * time. Everybody who makes an hour of minutes does it here, so that an hour has the same bits whoever made it and when: also where sums
 * are no decimals and depend on their order.
 */
import { mergeSums } from '../decimal-sum.ts'
import { bitCount, type MinuteColumns, minutesPerHour } from '../hour-block/minute-columns.ts'

export interface HourValues {
  min: number
  max: number
  sum: number
  /** Samples; 0: nothing yet. */
  count: number
}

export interface Merged {
  readonly min: number
  readonly max: number
  readonly sum: number
  readonly count: number
}

/** The next minute, after all before it. */
export function addMinute(hour: HourValues, { min, max, sum, count }: Merged): void {
  if (hour.count === 0) {
    hour.min = min
    hour.max = max
    hour.sum = sum
  } else {
    if (min < hour.min) hour.min = min
    if (max > hour.max) hour.max = max
    hour.sum = mergeSums(hour.sum, sum)
  }
  hour.count += count
}

/** Of the 60 slots from the first on; count 0 where there are no samples. */
export function rollUpHour({ seenLow, seenHigh, min, max, sum }: MinuteColumns): HourValues {
  const hour = { min: 0, max: 0, sum: 0, count: 0 }
  for (let slot = 0; slot < minutesPerHour; slot++) {
    const count = bitCount(seenLow[slot] as number) + bitCount(seenHigh[slot] as number)
    if (count === 0) continue
    addMinute(hour, { min: min[slot] as number, max: max[slot] as number, sum: sum[slot] as number, count })
  }
  return hour
}
