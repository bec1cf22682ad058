/**
 * One stream of minutes out of two: blocks of whole hours, and hot rows, each of which takes the place of what a block has of
 * its minute. Pure. Both come in the order of series and time, a block before the hot rows of its hour; what comes out is in that
 * order too, a minute once. Memory: one hour of one series.
 */
import { HourBlockError } from '@minutely/schema/hour-block/block-bytes'
import { HourBlockDecoder } from '@minutely/schema/hour-block/decode-hour-block'
import { createMinuteColumns, minutesPerHour } from '@minutely/schema/hour-block/minute-columns'

/** One object, reused: copy what is to be kept. */
export interface TierMinute {
  readonly seriesId: number
  /** Minutes since 1970. */
  readonly minute: number
  /** Bits 0 to 31 of `seen`, and 32 to 59. */
  readonly seenLow: number
  readonly seenHigh: number
  readonly min: number
  readonly max: number
  readonly sum: number
  /** 32 bits, unsigned; 0 where it was not asked for. */
  readonly tag: number
}

export type WritableTierMinute = { -readonly [key in keyof TierMinute]: TierMinute[key] }

/** To be written over. */
export const blankTierMinute = (): WritableTierMinute => {
  return { seriesId: 0, minute: 0, seenLow: 0, seenHigh: 0, min: 0, max: 0, sum: 0, tag: 0 }
}

export interface TierSinks {
  readonly minute: (minute: TierMinute) => void
  /** A block that cannot be read: its hot rows come all the same. Without it that is thrown. */
  readonly unreadable?: (error: UnreadableHourError) => void
}

/** An hour of a series that is stored and cannot be read. Nothing of it may be taken for a gap. */
export class UnreadableHourError extends Error {
  override readonly name = 'UnreadableHourError'
  readonly seriesId: number
  /** Hours since 1970. */
  readonly hour: number

  constructor(seriesId: number, hour: number, cause: HourBlockError) {
    const at = new Date(hour * 3_600_000).toISOString()
    super(`the block of series ${seriesId}, hour ${hour} (${at}) cannot be read: ${cause.message}`, { cause })
    this.seriesId = seriesId
    this.hour = hour
  }
}

export interface TierRange {
  /** Minutes since 1970; what a block has outside is left out. */
  readonly fromMinute: number
  readonly toMinute: number
}

export class TierMerge {
  readonly #range: TierRange
  readonly #sinks: TierSinks
  readonly #decoder = new HourBlockDecoder()
  readonly #columns = createMinuteColumns(minutesPerHour)
  readonly #out = blankTierMinute()
  /** Of the block that is in the columns; -1: none. */
  #hour = -1
  /** Slots of the columns before this one are given out, or replaced. */
  #slot = 0

  constructor(range: TierRange, sinks: TierSinks) {
    this.#range = range
    this.#sinks = sinks
  }

  /** @throws UnreadableHourError */
  block(head: { readonly seriesId: number; readonly hour: number; readonly tag: number }, bytes: Uint8Array): void {
    this.end()
    const { seriesId, hour, tag } = head
    try {
      this.#decoder.decode(bytes, this.#columns, 0)
    } catch (error) {
      if (!(error instanceof HourBlockError)) throw error
      const unreadable = new UnreadableHourError(seriesId, hour, error)
      if (this.#sinks.unreadable === undefined) throw unreadable
      this.#sinks.unreadable(unreadable)
      return
    }
    this.#out.seriesId = seriesId
    this.#out.tag = tag
    this.#hour = hour
    this.#slot = 0
  }

  row(row: TierMinute): void {
    if (this.#hour >= 0) {
      const slot = row.minute - this.#hour * minutesPerHour
      if (row.seriesId !== this.#out.seriesId || slot >= minutesPerHour) this.end()
      else {
        this.#giveUpTo(slot)
        this.#slot = slot + 1
      }
    }
    this.#sinks.minute(row)
  }

  /** Gives out what is left of the block. */
  end(): void {
    if (this.#hour < 0) return
    this.#giveUpTo(minutesPerHour)
    this.#hour = -1
  }

  #giveUpTo(end: number): void {
    const { fromMinute, toMinute } = this.#range
    const [columns, out, first] = [this.#columns, this.#out, this.#hour * minutesPerHour]
    for (let slot = this.#slot; slot < end; slot++) {
      const [low, high] = [columns.seenLow[slot] as number, columns.seenHigh[slot] as number]
      const minute = first + slot
      if ((low === 0 && high === 0) || minute < fromMinute || minute >= toMinute) continue
      out.minute = minute
      // Halves of 30 bits to 32 and 28.
      out.seenLow = (low | (high << 30)) >>> 0
      out.seenHigh = high >>> 2
      out.min = columns.min[slot] as number
      out.max = columns.max[slot] as number
      out.sum = columns.sum[slot] as number
      this.#sinks.minute(out)
    }
  }
}
