/**
 * One stream of minutes out of two: blocks of whole hours of one series, and minute blocks of many series, whose records take the place
 * of what an hour block has of their minute. Pure. Both come chunk by chunk of series, in each in the order of time, an hour block before
 * the minutes of its hour. What comes out is in the order of chunk, hour, series, minute; so of one series in the order of time, a minute
 * once. Memory: an hour of a chunk.
 */
import { HourBlockError } from '@minutely/schema/hour-block/block-bytes'
import { HourBlockDecoder } from '@minutely/schema/hour-block/decode-hour-block'
import { createMinuteColumns, minutesPerHour } from '@minutely/schema/hour-block/minute-columns'
import {
  blockProblem,
  chunkOf,
  firstIdOf,
  readRecordInto,
  recordBytes,
  seriesPerChunk,
  slotOf,
  viewOf,
} from '@minutely/schema/minute-block/minute-block'
import type { TierTarget } from './tier-decoder.ts'

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

type WritableTierMinute = { -readonly [key in keyof TierMinute]: TierMinute[key] }

export interface TierSinks {
  readonly minute: (minute: TierMinute) => void
  /** What cannot be read is left out, the rest of its hour comes all the same. Without it that is thrown. */
  readonly unreadable?: (error: UnreadableHourError) => void
}

/** An hour of a series that is stored and cannot be read. Nothing of it may be taken for a gap. */
export class UnreadableHourError extends Error {
  override readonly name = 'UnreadableHourError'
  readonly seriesId: number
  /** Hours since 1970. */
  readonly hour: number

  constructor(seriesId: number, hour: number, cause: Error) {
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
  /** All that come, if they are not given. */
  readonly seriesIds?: readonly number[]
}

export class TierMerge implements TierTarget {
  readonly #range: TierRange
  readonly #sinks: TierSinks
  /** By chunk: a bit for each slot that is asked for. */
  readonly #wanted: ReadonlyMap<number, number> | undefined
  readonly #decoder = new HourBlockDecoder()
  readonly #columns = createMinuteColumns(seriesPerChunk * minutesPerHour)
  readonly #tags = new Uint32Array(seriesPerChunk)
  readonly #out: WritableTierMinute = {
    seriesId: 0,
    minute: 0,
    seenLow: 0,
    seenHigh: 0,
    min: 0,
    max: 0,
    sum: 0,
    tag: 0,
  }
  /** Whose minutes are in the columns; -1: none. */
  #chunk = -1
  #hour = -1
  /** A bit for each slot that has any. */
  #present = 0

  constructor(range: TierRange, sinks: TierSinks) {
    this.#range = range
    this.#sinks = sinks
    this.#wanted = range.seriesIds && bitsOf(range.seriesIds)
  }

  /** @throws UnreadableHourError */
  block({ seriesId, hour }: { readonly seriesId: number; readonly hour: number }, bytes: Uint8Array): void {
    this.#turnTo(chunkOf(seriesId), hour)
    const slot = slotOf(seriesId)
    try {
      this.#decoder.decode(bytes, this.#columns, slot * minutesPerHour)
      this.#present |= 1 << slot
    } catch (error) {
      if (!(error instanceof HourBlockError)) throw error
      this.#clear(slot)
      this.#refuse(new UnreadableHourError(seriesId, hour, error))
    }
  }

  /** @throws UnreadableHourError */
  minutes(head: { readonly seriesId: number; readonly minute: number }, bytes: Uint8Array | undefined): void {
    const { seriesId, minute } = head
    const hour = Math.floor(minute / minutesPerHour)
    this.#turnTo(chunkOf(seriesId), hour)
    const first = slotOf(seriesId)
    const problem = bytes === undefined ? 'it has a layout of a newer release' : blockProblem(first, bytes.length)
    if (bytes === undefined || problem !== undefined) {
      this.#refuse(new UnreadableHourError(seriesId, hour, new Error(problem)))
      // Whose records it has is not known; what hour blocks have of the minute may be older than those.
      for (let slot = first; slot < seriesPerChunk; slot++)
        this.#forget(slot * minutesPerHour + (minute % minutesPerHour))
      return
    }
    const view = viewOf(bytes)
    const to = { columns: this.#columns, slot: 0 }
    for (let index = 0; index < bytes.length / recordBytes; index++) {
      to.slot = (first + index) * minutesPerHour + (minute % minutesPerHour)
      if (readRecordInto(view, index, to)) this.#present |= 1 << (first + index)
    }
  }

  tag(seriesId: number, tag: number): void {
    this.#turnTo(chunkOf(seriesId), -1)
    this.#tags[slotOf(seriesId)] = tag
  }

  /** Gives out what is left. */
  end(): void {
    this.#turnTo(-1, -1)
  }

  #turnTo(chunk: number, hour: number): void {
    if (chunk === this.#chunk && hour === this.#hour) return
    const wanted = this.#wanted === undefined ? -1 : (this.#wanted.get(this.#chunk) ?? 0)
    for (let slot = 0; this.#present !== 0; slot++) {
      if ((this.#present & (1 << slot)) === 0) continue
      this.#present &= ~(1 << slot)
      if ((wanted & (1 << slot)) !== 0) this.#give(slot)
      this.#clear(slot)
    }
    this.#chunk = chunk
    this.#hour = hour
  }

  #give(slot: number): void {
    const { fromMinute, toMinute } = this.#range
    const [columns, out] = [this.#columns, this.#out]
    out.seriesId = firstIdOf(this.#chunk) + slot
    out.tag = this.#tags[slot] as number
    const first = this.#hour * minutesPerHour
    const start = slot * minutesPerHour
    const end = Math.min(minutesPerHour, toMinute - first)
    for (let at = Math.max(0, Math.ceil(fromMinute - first)); at < end; at++) {
      const [low, high] = [columns.seenLow[start + at] as number, columns.seenHigh[start + at] as number]
      if (low === 0 && high === 0) continue
      out.minute = first + at
      // Halves of 30 bits to 32 and 28.
      out.seenLow = (low | (high << 30)) >>> 0
      out.seenHigh = high >>> 2
      out.min = columns.min[start + at] as number
      out.max = columns.max[start + at] as number
      out.sum = columns.sum[start + at] as number
      this.#sinks.minute(out)
    }
  }

  #clear(slot: number): void {
    const [from, to] = [slot * minutesPerHour, (slot + 1) * minutesPerHour]
    this.#columns.seenLow.fill(0, from, to)
    this.#columns.seenHigh.fill(0, from, to)
  }

  #forget(at: number): void {
    this.#columns.seenLow[at] = 0
    this.#columns.seenHigh[at] = 0
  }

  #refuse(error: UnreadableHourError): void {
    if (this.#sinks.unreadable === undefined) throw error
    this.#sinks.unreadable(error)
  }
}

function bitsOf(seriesIds: readonly number[]): ReadonlyMap<number, number> {
  const bits = new Map<number, number>()
  for (const id of seriesIds) bits.set(chunkOf(id), (bits.get(chunkOf(id)) ?? 0) | (1 << slotOf(id)))
  return bits
}
