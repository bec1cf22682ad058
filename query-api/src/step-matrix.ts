/**
 * The answer while it is gathered: series x steps, columns of min, max, sum and count. Minutes are merged into the step
 * they lie in, exactly: min of mins, max of maxes, sums by the decimal rule (schema/src/decimal-sum.ts), counts added.
 * avg is sum / count of the step; nothing averages averages. count 0 means no data and reads as null.
 *
 * Layout: slot = row * stepCount + step. 28 bytes a slot; less where only some columns are asked for: the others have no
 * slots, so what is written to them is gone.
 */

import { rollUpHour } from '@minutely/schema/day-block/roll-up-hour'
import { mergeSums } from '@minutely/schema/decimal-sum'
import { bitCount, type MinuteColumns, minutesPerHour, wholeHalf } from '@minutely/schema/hour-block/minute-columns'
import { minuteMs, secondsPerMinute } from '@minutely/schema/limits'
import { type Aggregation, aggregations } from '@minutely/schema/query-wire'
import type { NumberColumn } from './json-bytes.ts'
import { isHourly, type TimeRange } from './time-range.ts'

/** What one minute of one series holds. */
export interface MinuteValues {
  readonly min: number
  readonly max: number
  readonly sum: number
  readonly count: number
}

export class StepMatrix {
  readonly range: TimeRange
  readonly rowCount: number
  readonly min: Float64Array
  readonly max: Float64Array
  readonly sum: Float64Array
  readonly count: Uint32Array
  readonly #values = { min: 0, max: 0, sum: 0, count: 0 }

  /** `asked`: of the others no value may be asked. */
  constructor(rowCount: number, range: TimeRange, asked: readonly Aggregation[] = aggregations) {
    const slots = rowCount * range.stepCount
    const column = (isAsked: boolean): Float64Array => new Float64Array(isAsked ? slots : 0)
    this.range = range
    this.rowCount = rowCount
    this.min = column(asked.includes('min'))
    this.max = column(asked.includes('max'))
    this.sum = column(asked.includes('sum') || asked.includes('avg'))
    this.count = new Uint32Array(slots)
  }

  /** minuteMs outside the range is not taken. */
  add(row: number, minuteMs: number, values: MinuteValues): void {
    const { startMs, endMs, stepMs, stepCount } = this.range
    if (minuteMs < startMs || minuteMs >= endMs) return
    this.#merge(row * stepCount + Math.floor((minuteMs - startMs) / stepMs), values)
  }

  /** An hour of a row, all of which lies in the range; none of its minutes has been added. Steps of whole hours are made of hours. */
  addHour(row: number, hourStartMs: number, columns: MinuteColumns): void {
    const { startMs, stepMs, stepCount } = this.range
    if (isHourly(this.range)) {
      this.#merge(row * stepCount + Math.floor((hourStartMs - startMs) / stepMs), rollUpHour(columns))
      return
    }
    const slot = row * stepCount + (hourStartMs - startMs) / stepMs
    if (stepMs !== minuteMs) {
      this.#mergeHour(row, hourStartMs, columns)
      return
    }
    if (this.min.length > 0) this.min.set(columns.min, slot)
    if (this.max.length > 0) this.max.set(columns.max, slot)
    if (this.sum.length > 0) this.sum.set(columns.sum, slot)
    const { seenLow, seenHigh } = columns
    const counts = this.count
    for (let minute = 0; minute < minutesPerHour; minute++) {
      counts[slot + minute] = samplesOf(seenLow[minute] as number, seenHigh[minute] as number)
    }
  }

  #mergeHour(row: number, hourStartMs: number, { seenLow, seenHigh, min, max, sum }: MinuteColumns): void {
    const { startMs, stepMs, stepCount } = this.range
    const values = this.#values
    for (let minute = 0; minute < minutesPerHour; minute++) {
      values.count = samplesOf(seenLow[minute] as number, seenHigh[minute] as number)
      if (values.count === 0) continue
      values.min = min[minute] as number
      values.max = max[minute] as number
      values.sum = sum[minute] as number
      this.#merge(row * stepCount + Math.floor((hourStartMs - startMs + minute * minuteMs) / stepMs), values)
    }
  }

  #merge(slot: number, values: MinuteValues): void {
    const { min, max, sum, count } = values
    const before = this.count[slot] as number
    if (before === 0) {
      this.min[slot] = min
      this.max[slot] = max
      this.sum[slot] = sum
      this.count[slot] = count
      return
    }
    if (min < (this.min[slot] as number)) this.min[slot] = min
    if (max > (this.max[slot] as number)) this.max[slot] = max
    if (this.sum.length > 0) this.sum[slot] = mergeSums(this.sum[slot] as number, sum)
    this.count[slot] = before + count
  }

  /** One slot's value, null without data. */
  value(aggregation: Aggregation, slot: number): number | null {
    const count = this.count[slot] as number
    if (count === 0) return null
    switch (aggregation) {
      case 'min':
        return this.min[slot] as number
      case 'max':
        return this.max[slot] as number
      case 'sum':
        return this.sum[slot] as number
      case 'count':
        return count
      case 'avg':
        return (this.sum[slot] as number) / count
    }
  }

  /** All slots, for whoever writes them. */
  numbers(aggregation: Aggregation): NumberColumn {
    const divided = aggregation === 'avg'
    return { values: this[divided ? 'sum' : aggregation], counts: this.count, divided }
  }

  column(row: number, aggregation: Aggregation): (number | null)[] {
    const { stepCount } = this.range
    const first = row * stepCount
    return Array.from({ length: stepCount }, (_, step) => this.value(aggregation, first + step))
  }

  /** A matrix of these rows, in this order. */
  pick(rows: readonly number[]): StepMatrix {
    const picked = new StepMatrix(rows.length, this.range)
    const { stepCount } = this.range
    rows.forEach((row, index) => {
      const [from, to] = [row * stepCount, (row + 1) * stepCount]
      picked.min.set(this.min.subarray(from, to), index * stepCount)
      picked.max.set(this.max.subarray(from, to), index * stepCount)
      picked.sum.set(this.sum.subarray(from, to), index * stepCount)
      picked.count.set(this.count.subarray(from, to), index * stepCount)
    })
    return picked
  }
}

const samplesOf = (low: number, high: number): number =>
  low === wholeHalf && high === wholeHalf ? secondsPerMinute : bitCount(low) + bitCount(high)
