/**
 * The open end of the store: a minute of up to 32 series whose ids are side by side, as one value (docs/formats.md, "Minute block"). A
 * chunk is 32 ids; a block has a record for each id from its first to its last series, 32 bytes, big-endian, as Postgres sends numbers:
 *
 *   0      8     16    24    32
 *   | seen | min | max | sum |     seen 0: nothing of this series
 *
 * Records have a fixed size so that a reader may ask for a part of a block (substring) and gets whole records.
 */
import type { MinuteColumns } from '../hour-block/minute-columns.ts'
import { wholeHalf } from '../hour-block/minute-columns.ts'

/** In the column beside each block; what has another one is not for this release to read. */
export const minuteBlockLayout = 1
export const seriesPerChunk = 32
export const chunkBits = 5
export const recordBytes = 32
/** The first ones of a record. */
export const seenBytes = 8

export const chunkOf = (seriesId: number): number => seriesId >> chunkBits
/** Place within its chunk. */
export const slotOf = (seriesId: number): number => seriesId & (seriesPerChunk - 1)
export const firstIdOf = (chunk: number): number => chunk << chunkBits

/** A minute of one series. `low`, `high`: which seconds were seen, in halves of 30 bits (docs/formats.md, "minute.seen"). */
export interface StoredMinute {
  readonly low: number
  readonly high: number
  readonly min: number
  readonly max: number
  readonly sum: number
}

export const viewOf = ({ buffer, byteOffset, byteLength }: Uint8Array): DataView =>
  new DataView(buffer, byteOffset, byteLength)

/** Record `index` of the block. */
export function writeRecord(view: DataView, index: number, { low, high, min, max, sum }: StoredMinute): void {
  const at = index * recordBytes
  view.setUint32(at, high >>> 2)
  view.setUint32(at + 4, ((high & 3) << 30) | low)
  view.setFloat64(at + 8, min)
  view.setFloat64(at + 16, max)
  view.setFloat64(at + 24, sum)
}

/** @returns undefined where there is nothing. */
export function readRecord(view: DataView, index: number): StoredMinute | undefined {
  const at = index * recordBytes
  const [upper, lower] = [view.getUint32(at), view.getUint32(at + 4)]
  if (upper === 0 && lower === 0) return undefined
  return {
    low: lower & wholeHalf,
    high: ((upper << 2) | (lower >>> 30)) & wholeHalf,
    min: view.getFloat64(at + 8),
    max: view.getFloat64(at + 16),
    sum: view.getFloat64(at + 24),
  }
}

/** The same into columns, without an object. @returns false where there is nothing. */
export function readRecordInto(view: DataView, index: number, to: { columns: MinuteColumns; slot: number }): boolean {
  const at = index * recordBytes
  const [upper, lower] = [view.getUint32(at), view.getUint32(at + 4)]
  if (upper === 0 && lower === 0) return false
  const { columns, slot } = to
  columns.seenLow[slot] = lower & wholeHalf
  columns.seenHigh[slot] = ((upper << 2) | (lower >>> 30)) & wholeHalf
  columns.min[slot] = view.getFloat64(at + 8)
  columns.max[slot] = view.getFloat64(at + 16)
  columns.sum[slot] = view.getFloat64(at + 24)
  return true
}

/** What is wrong with a block of that many bytes whose first record is in this slot; undefined: nothing. */
export function blockProblem(firstSlot: number, byteLength: number): string | undefined {
  const records = byteLength / recordBytes
  if (!Number.isInteger(records)) return `${byteLength} bytes are no whole records of ${recordBytes}`
  if (firstSlot + records > seriesPerChunk)
    return `${records} records from slot ${firstSlot} on are more than a chunk has`
  return undefined
}
