/**
 * The points of one series that lie in one hour, and how they become its minutes: those that the hour has not seen are added to what it
 * has, by the rule of all minutes (merge-minute.ts). Pure.
 */
import { sumRow } from '@minutely/schema/decimal-sum'
import {
  bitCount,
  type MinuteColumns,
  minutesPerHour,
  secondsPerHalf,
} from '@minutely/schema/hour-block/minute-columns'
import { secondsPerMinute } from '@minutely/schema/limits'
import type { StoredMinute } from '@minutely/schema/minute-block/minute-block'
import { mergeRow } from '../merge-minute.ts'
import type { PointRuns } from './point-runs.ts'

export const secondsPerHour = 3_600

export class HourPoints {
  readonly #runs: PointRuns
  readonly #from: number
  readonly #to: number
  readonly #firstSecond: number

  /** `from`, `to`: indexes of the runs, which are settled. `hour`: since 1970. */
  constructor(runs: PointRuns, range: { readonly from: number; readonly to: number }, hour: number) {
    this.#runs = runs
    this.#from = range.from
    this.#to = range.to
    this.#firstSecond = hour * secondsPerHour
  }

  get count(): number {
    return this.#to - this.#from
  }

  /** Lays them over an hour's minutes. @returns how many seconds of them it had not seen. */
  layOn(columns: MinuteColumns): number {
    let added = 0
    for (let from = this.#from; from < this.#to; ) {
      const slot = this.#slotOf(from)
      const to = this.#endOf(from, slot)
      added += this.#layMinute(columns, slot, { from, to })
      from = to
    }
    return added
  }

  /** The 60 cells of a minute, NaN where there is nothing. @returns false when there is nothing at all. */
  cells(minute: number, cells: Float64Array): boolean {
    cells.fill(Number.NaN)
    const first = this.#firstSecond + minute * secondsPerMinute
    const from = this.#runs.indexOf(first, this.#from)
    const to = Math.min(this.#to, this.#runs.indexOf(first + secondsPerMinute, from))
    this.#fill(cells, { from, to }, first)
    return to > from
  }

  #slotOf(index: number): number {
    return Math.floor(((this.#runs.seconds[index] as number) - this.#firstSecond) / secondsPerMinute)
  }

  #endOf(from: number, slot: number): number {
    const end = this.#firstSecond + (slot + 1) * secondsPerMinute
    const { seconds } = this.#runs
    let to = from + 1
    while (to < this.#to && (seconds[to] as number) < end) to++
    return to
  }

  #layMinute(columns: MinuteColumns, slot: number, range: { from: number; to: number }): number {
    if (slot < 0 || slot >= minutesPerHour) throw new Error(`BUG: minute ${slot} of an hour`)
    const incoming = this.#roll(slot, range)
    const stored = minuteAt(columns, slot)
    if (stored.low === 0 && stored.high === 0) {
      putMinute(columns, slot, incoming)
      return range.to - range.from
    }
    if ((incoming.low & ~stored.low) === 0 && (incoming.high & ~stored.high) === 0) return 0
    const cells = new Float64Array(secondsPerMinute).fill(Number.NaN)
    this.#fill(cells, range, this.#firstSecond + slot * secondsPerMinute)
    const merged = mergeRow(stored, incoming, cells)
    putMinute(columns, slot, merged)
    return bitCount(merged.low) + bitCount(merged.high) - bitCount(stored.low) - bitCount(stored.high)
  }

  /** As roll-up.ts does it of 60 cells; history has few of them filled. */
  #roll(slot: number, { from, to }: { from: number; to: number }): StoredMinute {
    const { seconds, values } = this.#runs
    const first = this.#firstSecond + slot * secondsPerMinute
    let [low, high, min, max] = [0, 0, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]
    for (let index = from; index < to; index++) {
      const second = (seconds[index] as number) - first
      const value = values[index] as number
      if (second < secondsPerHalf) low |= 1 << second
      else high |= 1 << (second - secondsPerHalf)
      if (value < min) min = value
      if (value > max) max = value
    }
    return { low, high, min, max, sum: sumRow(values, from, to - from) }
  }

  #fill(cells: Float64Array, { from, to }: { from: number; to: number }, firstSecond: number): void {
    const { seconds, values } = this.#runs
    for (let index = from; index < to; index++) {
      cells[(seconds[index] as number) - firstSecond] = values[index] as number
    }
  }
}

function minuteAt(columns: MinuteColumns, slot: number): StoredMinute {
  return {
    low: columns.seenLow[slot] as number,
    high: columns.seenHigh[slot] as number,
    min: columns.min[slot] as number,
    max: columns.max[slot] as number,
    sum: columns.sum[slot] as number,
  }
}

function putMinute(columns: MinuteColumns, slot: number, { low, high, min, max, sum }: StoredMinute): void {
  columns.seenLow[slot] = low
  columns.seenHigh[slot] = high
  columns.min[slot] = min
  columns.max[slot] = max
  columns.sum[slot] = sum
}
