/**
 * A slice of hot rows into hour blocks. Pure. What blocks have already of a series is laid under its hot rows: a hot row is the whole
 * state of its minute and takes its place. Each block is decoded again and compared, bit for bit, before anybody relies on it: what
 * cannot be packed stays hot.
 */

import { rollUpHour } from '@minutely/schema/day-block/roll-up-hour'
import { HourBlockError } from '@minutely/schema/hour-block/block-bytes'
import { HourBlockDecoder } from '@minutely/schema/hour-block/decode-hour-block'
import { HourBlockEncoder } from '@minutely/schema/hour-block/encode-hour-block'
import {
  createMinuteColumns,
  type MinuteColumns,
  minutesPerHour,
  wholeHalf,
} from '@minutely/schema/hour-block/minute-columns'
import type { HotRow, HourSlice } from './hour-slice.ts'
import type { SealedSeries } from './write-sealed.ts'

/** outside: no row of ours; encode, compare: a defect of the codec; unreadable: what is stored. */
export type RefusalReason = 'outside' | 'encode' | 'compare' | 'unreadable'

/** An hour that cannot be packed, and why. It stays as it is. */
export class SealRefusedError extends Error {
  override readonly name = 'SealRefusedError'
  readonly reason: RefusalReason

  constructor(reason: RefusalReason, message: string, options: ErrorOptions = {}) {
    super(message, options)
    this.reason = reason
  }
}

export interface SliceCodec {
  readonly encoder: Pick<HourBlockEncoder, 'encode'>
  readonly decoder: Pick<HourBlockDecoder, 'decode'>
}

/** Made once for many slices. */
export class SlicePacker {
  readonly #codec: SliceCodec
  readonly #columns = createMinuteColumns(minutesPerHour)
  readonly #again = createMinuteColumns(minutesPerHour)

  constructor(codec: SliceCodec = { encoder: new HourBlockEncoder(), decoder: new HourBlockDecoder() }) {
    this.#codec = codec
  }

  /** `existing`: by series id. @throws SealRefusedError */
  pack(
    slice: Pick<HourSlice, 'rowCount' | 'row'>,
    existing: ReadonlyMap<number, { readonly block: Buffer }>,
  ): SealedSeries[] {
    const packed: SealedSeries[] = []
    let row = 0
    while (row < slice.rowCount) {
      const { seriesId, tenantId } = slice.row(row)
      this.#begin(seriesId, existing.get(seriesId)?.block)
      const minutesBefore = this.#minuteCount()
      for (; row < slice.rowCount; row++) {
        const hot = slice.row(row)
        if (hot.seriesId !== seriesId) break
        put(this.#columns, hot)
      }
      packed.push(this.#packed({ seriesId, tenantId }, minutesBefore))
    }
    return packed
  }

  /**
   * A series whose minutes come from elsewhere than rows. `lay` changes what its block has, and says whether it did.
   * @returns undefined when it did not. @throws SealRefusedError
   */
  packOver(
    { seriesId, tenantId }: Pick<SealedSeries, 'seriesId' | 'tenantId'>,
    block: Buffer | undefined,
    lay: (columns: MinuteColumns) => boolean,
  ): SealedSeries | undefined {
    this.#begin(seriesId, block)
    const minutesBefore = this.#minuteCount()
    return lay(this.#columns) ? this.#packed({ seriesId, tenantId }, minutesBefore) : undefined
  }

  #packed(series: Pick<SealedSeries, 'seriesId' | 'tenantId'>, minutesBefore: number): SealedSeries {
    const minuteCount = this.#minuteCount()
    const newMinuteCount = minuteCount - minutesBefore
    const rolled = rollUpHour(this.#columns)
    return { ...series, block: this.#encode(series.seriesId), rolled, minuteCount, newMinuteCount }
  }

  #begin(seriesId: number, block: Buffer | undefined): void {
    for (const column of Object.values(this.#columns)) column.fill(0)
    if (block === undefined) return
    try {
      this.#codec.decoder.decode(block, this.#columns, 0)
    } catch (error) {
      if (!(error instanceof HourBlockError)) throw error
      throw new SealRefusedError('unreadable', `its block of series ${seriesId} cannot be read: ${error.message}`, {
        cause: error,
      })
    }
  }

  #minuteCount(): number {
    const { seenLow, seenHigh } = this.#columns
    return seenLow.reduce((count, low, slot) => count + (low === 0 && seenHigh[slot] === 0 ? 0 : 1), 0)
  }

  #encode(seriesId: number): Buffer {
    let block: Buffer
    try {
      block = this.#codec.encoder.encode(this.#columns, 0)
      this.#codec.decoder.decode(block, this.#again, 0)
    } catch (error) {
      throw new SealRefusedError('encode', `series ${seriesId} cannot be packed: ${(error as Error).message}`, {
        cause: error,
      })
    }
    if (!areEqual(this.#columns, this.#again)) {
      throw new SealRefusedError('compare', `series ${seriesId} is not the same when it is unpacked`)
    }
    return block
  }
}

function put(columns: MinuteColumns, { seriesId, minute, seenLower, seenUpper, min, max, sum }: HotRow): void {
  // Bits 0 to 31 and 32 to 63, to halves of 30.
  const [low, high] = [seenLower & wholeHalf, (seenUpper << 2) | (seenLower >>> 30)]
  const isOurs = Number.isInteger(minute) && minute >= 0 && minute < minutesPerHour && seenUpper < 2 ** 28
  if (!isOurs || (low === 0 && high === 0)) {
    throw new SealRefusedError('outside', `series ${seriesId} has a row at minute ${minute} that is none of a minute`)
  }
  columns.seenLow[minute] = low
  columns.seenHigh[minute] = high
  columns.min[minute] = min
  columns.max[minute] = max
  columns.sum[minute] = sum
}

/** Bit for bit: two zeros differ, a NaN is itself. */
function areEqual(one: MinuteColumns, other: MinuteColumns): boolean {
  const bytesOf = ({ buffer }: Int32Array | Float64Array): Buffer => Buffer.from(buffer)
  return (
    bytesOf(one.seenLow).equals(bytesOf(other.seenLow)) &&
    bytesOf(one.seenHigh).equals(bytesOf(other.seenHigh)) &&
    bytesOf(one.min).equals(bytesOf(other.min)) &&
    bytesOf(one.max).equals(bytesOf(other.max)) &&
    bytesOf(one.sum).equals(bytesOf(other.sum))
  )
}
