/**
 * The binary COPY of tier-query.ts, in pieces of any size, into minutes: decoded where it arrives, row by row, without an object per
 * row. Decoding is synchronous, so nothing queues up here and the socket is not read faster than it is decoded.
 *
 * Big-endian; lengths precede values. A hot row and a block:
 *
 *   0  2  6 series 10 14 minuteAt 22 26 seen  34 38 min  46 50 max  58 62 sum  70 74         74 78 tag 82
 *   |n |len| int32 |len| int64 us |len| int64 |len| f64 |len| f64 |len| f64 |len = -1      |len| int32 |
 *
 *   0  2  6 series 10 14 minuteAt 22       26       30       34       38  42          +4  +8
 *   |n |len| int32 |len| int64 us |len = -1|len = -1|len = -1|len = -1|len| block ... |len| int32 |
 *
 * n is 7, or 8 with the tag; before the first: 11 bytes signature, 4 flags, 4 length of an extension; after the last: int16 -1.
 * https://www.postgresql.org/docs/current/sql-copy.html#SQL-COPY-FILE-FORMATS
 *
 * minuteAt counts us since 2000-01-01 and reaches 2^53 in the year 2285; it is read as two halves, without BigInt. That of a
 * block is a second before its hour; that of a day block, which looks the same, two seconds before its day.
 */
import { blankTierMinute, type TierMinute } from './tier-merge.ts'

const headerBytes = 19
const fields = 7
const hotBytes = 74
const tagBytes = 8
const blockAt = 42
/** 2000-01-01T00:00:00Z. */
const postgresEpochMinutes = 15_778_080
const minuteMicros = 60_000_000
const minutesPerHour = 60
/** Of a day block, before its day. */
const dayMarkMicros = 2_000_000

/** What becomes of rows and blocks as they arrive: minutes (tier-merge.ts) or hours (hour-merge.ts). */
export interface TierTarget {
  block(head: { readonly seriesId: number; readonly hour: number; readonly tag: number }, bytes: Uint8Array): void
  row(row: TierMinute): void
  /** Only where day blocks are asked for. */
  day?(head: { readonly seriesId: number; readonly day: number }, bytes: Uint8Array): void
  end(): void
}

export class TierDecoder {
  /** Hot rows and blocks. */
  rowCount = 0
  #rest: Buffer = Buffer.alloc(0)
  #sawHeader = false
  readonly #fields: number
  readonly #tagBytes: number
  readonly #merge: TierTarget
  readonly #row = blankTierMinute()

  constructor(merge: TierTarget, options: { readonly isTagged?: boolean } = {}) {
    this.#merge = merge
    this.#fields = options.isTagged === true ? fields + 1 : fields
    this.#tagBytes = options.isTagged === true ? tagBytes : 0
  }

  push(chunk: Buffer): void {
    const bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk])
    let offset = 0
    if (!this.#sawHeader) {
      if (bytes.length < headerBytes) {
        this.#rest = bytes
        return
      }
      if (bytes.toString('latin1', 0, 6) !== 'PGCOPY') throw new Error('BUG: Postgres answered COPY without its header')
      offset = headerBytes + bytes.readUInt32BE(15)
      this.#sawHeader = true
    }
    for (;;) {
      const size = this.#tuple(bytes, offset)
      if (size === 0) break
      offset += size
    }
    this.#rest = bytes.subarray(offset)
  }

  /** @throws when the stream ended in the middle of a row. */
  end(): void {
    if (this.#rest.length !== 2 || this.#rest.readInt16BE(0) !== -1) {
      throw new Error(`BUG: COPY ended with ${this.#rest.length} bytes that are no row`)
    }
    this.#merge.end()
  }

  /** @returns its bytes; 0 when it is not all there. */
  #tuple(bytes: Buffer, offset: number): number {
    if (offset + blockAt > bytes.length) return 0
    const isBlock = bytes.readInt32BE(offset + 22) === -1
    const blockBytes = isBlock ? bytes.readInt32BE(offset + blockAt - 4) : 0
    const size = (isBlock ? blockAt + blockBytes : hotBytes) + this.#tagBytes
    if (offset + size > bytes.length) return 0
    if (bytes.readInt16BE(offset) !== this.#fields) throw new Error(`BUG: a COPY row without ${this.#fields} fields`)
    const seriesId = bytes.readInt32BE(offset + 6)
    const micros = bytes.readInt32BE(offset + 14) * 4_294_967_296 + bytes.readUInt32BE(offset + 18)
    const tag = this.#tagBytes === 0 ? 0 : bytes.readUInt32BE(offset + size - 4)
    this.rowCount++
    if (isBlock) {
      const minutes = Math.ceil(micros / minuteMicros)
      const hour = (minutes + postgresEpochMinutes) / minutesPerHour
      const block = bytes.subarray(offset + blockAt, offset + blockAt + blockBytes)
      if (minutes * minuteMicros - micros === dayMarkMicros) this.#merge.day?.({ seriesId, day: hour / 24 }, block)
      else this.#merge.block({ seriesId, hour, tag }, block)
      return size
    }
    const row = this.#row
    row.seriesId = seriesId
    row.tag = tag
    row.minute = micros / minuteMicros + postgresEpochMinutes
    row.seenHigh = bytes.readUInt32BE(offset + 26)
    row.seenLow = bytes.readUInt32BE(offset + 30)
    row.min = bytes.readDoubleBE(offset + 38)
    row.max = bytes.readDoubleBE(offset + 50)
    row.sum = bytes.readDoubleBE(offset + 62)
    this.#merge.row(row)
    return size
  }
}
