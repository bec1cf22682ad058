/**
 * A slice of hot minutes into hour blocks. Pure. What blocks have already of a series is laid under its hot minutes: each of those is the
 * whole state and takes its place. Each block is decoded again and compared, bit for bit, before anybody relies on it: what
 * cannot be packed stays hot.
 */

import { rollUpHour } from '@minutely/schema/day-block/roll-up-hour'
import { HourBlockError } from '@minutely/schema/hour-block/block-bytes'
import { HourBlockDecoder } from '@minutely/schema/hour-block/decode-hour-block'
import { HourBlockEncoder } from '@minutely/schema/hour-block/encode-hour-block'
import { createMinuteColumns, type MinuteColumns, minutesPerHour } from '@minutely/schema/hour-block/minute-columns'
import type { HotSeries } from './hour-slice.ts'
import { SealRefusedError } from './seal-refused.ts'
import type { SealedSeries } from './write-sealed.ts'

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
  pack(series: Iterable<HotSeries>, existing: ReadonlyMap<number, { readonly block: Buffer }>): SealedSeries[] {
    const packed: SealedSeries[] = []
    for (const { seriesId, tenantId, columns } of series) {
      this.#begin(seriesId, existing.get(seriesId)?.block)
      const minutesBefore = this.#minuteCount()
      layOver(this.#columns, columns)
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

/** Hot minutes take the place of what is there. */
function layOver(columns: MinuteColumns, hot: MinuteColumns): void {
  for (let minute = 0; minute < minutesPerHour; minute++) {
    const [low, high] = [hot.seenLow[minute] as number, hot.seenHigh[minute] as number]
    if (low === 0 && high === 0) continue
    columns.seenLow[minute] = low
    columns.seenHigh[minute] = high
    columns.min[minute] = hot.min[minute] as number
    columns.max[minute] = hot.max[minute] as number
    columns.sum[minute] = hot.sum[minute] as number
  }
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
