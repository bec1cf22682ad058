/**
 * Hours out of what copyHours (tier-query.ts) gives: day blocks, and the hour blocks and hot minutes of hours that are not settled. Pure. Where
 * both speak of an hour of a series:
 *
 *   an hour block came   its minutes and the hot ones count: the day block may be older than those
 *   none came            the day block counts. Hot minutes beside it are late data for an hour whose minutes are past their retention:
 *                        a part of the hour, which would hide the whole
 *   neither has it       the hot minutes count
 *
 * Everything comes chunk by chunk of series, in each in the order of time, a day block before its day, an hour block before its hour; hours come
 * out in the order of chunk, day, series, hour. From `minutesFrom` on minutes are given one by one: where somebody has to know which of
 * them are stored. Memory: a day of a chunk.
 */
import { DayBlockDecoder } from '@minutely/schema/day-block/decode-day-block'
import { createHourColumns, type HourColumns, hoursPerDay } from '@minutely/schema/day-block/hour-columns'
import { addMinute, type HourValues } from '@minutely/schema/day-block/roll-up-hour'
import { HourBlockError } from '@minutely/schema/hour-block/block-bytes'
import { bitCount, minutesPerHour } from '@minutely/schema/hour-block/minute-columns'
import { chunkOf, firstIdOf, seriesPerChunk, slotOf } from '@minutely/schema/minute-block/minute-block'
import type { TierTarget } from './tier-decoder.ts'
import { TierMerge, type TierMinute, UnreadableHourError } from './tier-merge.ts'

export interface HourRange {
  /** Hours since 1970, half-open; what a day block has outside is left out. */
  readonly fromHour: number
  readonly toHour: number
  /** Minutes since 1970, of a whole hour. */
  readonly minutesFrom: number
  /** All that come, if they are not given. */
  readonly seriesIds?: readonly number[]
}

/** `minute`: since 1970, the first one of an hour. `values` is one object, reused. */
export type HourSink = (seriesId: number, minute: number, values: Readonly<HourValues>) => void

/** A day of one series. */
interface SeriesDay {
  readonly columns: HourColumns
  /** Hours of the day before this one are given out. */
  given: number
}

export class HourMerge implements TierTarget {
  readonly #range: HourRange
  readonly #sink: HourSink
  readonly #minutes: TierMerge
  readonly #decoder = new DayBlockDecoder()
  /** By slot; made when a series first needs it. */
  readonly #days: (SeriesDay | undefined)[] = new Array(seriesPerChunk).fill(undefined)
  readonly #values: HourValues = { min: 0, max: 0, sum: 0, count: 0 }
  /** Whose hours are there; -1: none. */
  #chunk = -1
  #day = -1
  /** Series and hour that are being added up from minutes; -1: none. */
  #seriesId = -1
  #hour = -1

  constructor(range: HourRange, sink: HourSink) {
    const { fromHour, toHour, seriesIds } = range
    this.#range = range
    this.#sink = sink
    const within = { fromMinute: fromHour * minutesPerHour, toMinute: toHour * minutesPerHour }
    this.#minutes = new TierMerge(
      { ...within, ...(seriesIds !== undefined && { seriesIds }) },
      { minute: (minute) => this.#add(minute) },
    )
  }

  /** @throws UnreadableHourError */
  day({ seriesId, day }: { readonly seriesId: number; readonly day: number }, bytes: Uint8Array): void {
    this.#minutes.end()
    this.#turnTo(chunkOf(seriesId), day)
    try {
      this.#decoder.decode(bytes, this.#dayOf(slotOf(seriesId)).columns)
    } catch (error) {
      if (!(error instanceof HourBlockError)) throw error
      throw new UnreadableHourError(seriesId, day * hoursPerDay, error)
    }
  }

  /** @throws UnreadableHourError */
  block(head: { readonly seriesId: number; readonly hour: number }, bytes: Uint8Array): void {
    const { seriesId, hour } = head
    // Gives out the hour before it, which may be of the day before.
    this.#minutes.block(head, bytes)
    this.#turnTo(chunkOf(seriesId), Math.floor(hour / hoursPerDay))
    this.#dayOf(slotOf(seriesId)).columns.count[hour % hoursPerDay] = 0
  }

  /** @throws UnreadableHourError */
  minutes(head: { readonly seriesId: number; readonly minute: number }, bytes: Uint8Array | undefined): void {
    this.#minutes.minutes(head, bytes)
    this.#turnTo(chunkOf(head.seriesId), Math.floor(head.minute / minutesPerHour / hoursPerDay))
  }

  end(): void {
    this.#minutes.end()
    this.#turnTo(-1, -1)
  }

  /** Of the chunk and day that are there: what is given out is turned away from after it. */
  #add({ seriesId, minute, seenLow, seenHigh, min, max, sum }: TierMinute): void {
    const hour = Math.floor(minute / minutesPerHour)
    if (seriesId !== this.#seriesId || hour !== this.#hour) this.#putHour()
    const day = this.#dayOf(slotOf(seriesId))
    if ((day.columns.count[hour % hoursPerDay] as number) > 0) return
    // Halves of 32 and 28 bits.
    const count = bitCount(seenLow & 0x3fff_ffff) + bitCount((seenHigh << 2) | (seenLow >>> 30))
    if (minute >= this.#range.minutesFrom) {
      this.#giveUpTo(slotOf(seriesId), hour % hoursPerDay)
      this.#sink(seriesId, minute, { min, max, sum, count })
      return
    }
    this.#seriesId = seriesId
    this.#hour = hour
    addMinute(this.#values, { min, max, sum, count })
  }

  /** The hour that is added up, into its day. */
  #putHour(): void {
    if (this.#hour < 0) return
    const { columns } = this.#dayOf(slotOf(this.#seriesId))
    const [slot, values] = [this.#hour % hoursPerDay, this.#values]
    columns.count[slot] = values.count
    columns.min[slot] = values.min
    columns.max[slot] = values.max
    columns.sum[slot] = values.sum
    this.#hour = -1
    values.count = 0
  }

  #dayOf(slot: number): SeriesDay {
    const known = this.#days[slot]
    if (known !== undefined) return known
    const made = { columns: createHourColumns(), given: 0 }
    this.#days[slot] = made
    return made
  }

  /** What is there of another chunk or day is given out first. */
  #turnTo(chunk: number, day: number): void {
    if (chunk === this.#chunk && day === this.#day) return
    this.#putHour()
    for (const [slot, one] of this.#days.entries()) {
      if (one === undefined) continue
      this.#giveUpTo(slot, hoursPerDay)
      one.columns.count.fill(0)
      one.given = 0
    }
    this.#chunk = chunk
    this.#day = day
  }

  #giveUpTo(slot: number, end: number): void {
    const day = this.#dayOf(slot)
    const { count, min, max, sum } = day.columns
    for (; day.given < end; day.given++) {
      const at = day.given
      const samples = count[at] as number
      const hour = this.#day * hoursPerDay + at
      if (samples === 0 || hour < this.#range.fromHour || hour >= this.#range.toHour) continue
      const values = { min: min[at] as number, max: max[at] as number, sum: sum[at] as number, count: samples }
      this.#sink(firstIdOf(this.#chunk) + slot, hour * minutesPerHour, values)
    }
  }
}
