/**
 * Hours out of what copyHours (tier-query.ts) gives: day blocks, and the blocks and hot rows of hours that are not settled. Pure. Where both
 * speak of an hour of a series:
 *
 *   a block came        its minutes and the hot rows count: the day block may be older than the rows
 *   none came           the day block counts. Hot rows beside it are late data for an hour whose minutes are past their retention:
 *                       a part of the hour, which would hide the whole
 *   neither has it      the hot rows count
 *
 * Everything comes in the order of series and time, a day block before its day, a block before its hour; hours come out in that order. From
 * `minutesFrom` on minutes are given one by one: where somebody has to know which of them are stored. Memory: a day of one series.
 */
import { DayBlockDecoder } from '@minutely/schema/day-block/decode-day-block'
import { createHourColumns, hoursPerDay } from '@minutely/schema/day-block/hour-columns'
import { addMinute, type HourValues } from '@minutely/schema/day-block/roll-up-hour'
import { HourBlockError } from '@minutely/schema/hour-block/block-bytes'
import { bitCount, minutesPerHour } from '@minutely/schema/hour-block/minute-columns'
import type { TierTarget } from './tier-decoder.ts'
import { TierMerge, type TierMinute, UnreadableHourError } from './tier-merge.ts'

export interface HourRange {
  /** Hours since 1970, half-open; what a day block has outside is left out. */
  readonly fromHour: number
  readonly toHour: number
  /** Minutes since 1970, of a whole hour. */
  readonly minutesFrom: number
}

/** `minute`: since 1970, the first one of an hour. `values` is one object, reused. */
export type HourSink = (seriesId: number, minute: number, values: Readonly<HourValues>) => void

export class HourMerge implements TierTarget {
  readonly #range: HourRange
  readonly #sink: HourSink
  readonly #minutes: TierMerge
  readonly #decoder = new DayBlockDecoder()
  readonly #columns = createHourColumns()
  readonly #values: HourValues = { min: 0, max: 0, sum: 0, count: 0 }
  #seriesId = -1
  /** Whose hours are in the columns. */
  #day = -1
  /** Slots of the columns before this one are given out, or replaced. */
  #slot = 0
  /** That is being added up from minutes; -1: none. */
  #hour = -1

  constructor(range: HourRange, sink: HourSink) {
    this.#range = range
    this.#sink = sink
    const within = { fromMinute: range.fromHour * minutesPerHour, toMinute: range.toHour * minutesPerHour }
    this.#minutes = new TierMerge(within, { minute: (minute) => this.#add(minute) })
  }

  /** @throws UnreadableHourError */
  day({ seriesId, day }: { readonly seriesId: number; readonly day: number }, bytes: Uint8Array): void {
    this.#minutes.end()
    this.#turnTo(seriesId, day)
    try {
      this.#decoder.decode(bytes, this.#columns)
    } catch (error) {
      if (!(error instanceof HourBlockError)) throw error
      throw new UnreadableHourError(seriesId, day * hoursPerDay, error)
    }
  }

  /** @throws UnreadableHourError */
  block(head: { readonly seriesId: number; readonly hour: number; readonly tag: number }, bytes: Uint8Array): void {
    const { seriesId, hour } = head
    // Ends the block before it, whose hour is an earlier one.
    this.#minutes.block(head, bytes)
    this.#turnTo(seriesId, Math.floor(hour / hoursPerDay))
    this.#columns.count[hour % hoursPerDay] = 0
  }

  row(row: TierMinute): void {
    this.#minutes.row(row)
  }

  end(): void {
    this.#minutes.end()
    this.#turnTo(-1, -1)
  }

  #add({ seriesId, minute, seenLow, seenHigh, min, max, sum }: TierMinute): void {
    const hour = Math.floor(minute / minutesPerHour)
    this.#turnTo(seriesId, Math.floor(hour / hoursPerDay))
    const slot = hour % hoursPerDay
    if ((this.#columns.count[slot] as number) > 0) return
    if (hour !== this.#hour) {
      this.#giveHour()
      this.#giveUpTo(slot)
      this.#slot = slot + 1
    }
    // Halves of 32 and 28 bits.
    const count = bitCount(seenLow & 0x3fff_ffff) + bitCount((seenHigh << 2) | (seenLow >>> 30))
    if (minute >= this.#range.minutesFrom) {
      this.#sink(seriesId, minute, { min, max, sum, count })
      return
    }
    this.#hour = hour
    addMinute(this.#values, { min, max, sum, count })
  }

  /** What is left of another series or day is given out first. */
  #turnTo(seriesId: number, day: number): void {
    if (seriesId === this.#seriesId && day === this.#day) return
    this.#giveHour()
    this.#giveUpTo(hoursPerDay)
    this.#columns.count.fill(0)
    this.#seriesId = seriesId
    this.#day = day
    this.#slot = 0
  }

  #giveHour(): void {
    if (this.#hour < 0) return
    this.#sink(this.#seriesId, this.#hour * minutesPerHour, this.#values)
    this.#hour = -1
    this.#values.count = 0
  }

  #giveUpTo(end: number): void {
    const { count, min, max, sum } = this.#columns
    for (; this.#slot < end; this.#slot++) {
      const slot = this.#slot
      const samples = count[slot] as number
      const hour = this.#day * hoursPerDay + slot
      if (samples === 0 || hour < this.#range.fromHour || hour >= this.#range.toHour) continue
      const values = { min: min[slot] as number, max: max[slot] as number, sum: sum[slot] as number, count: samples }
      this.#sink(this.#seriesId, hour * minutesPerHour, values)
    }
  }
}
