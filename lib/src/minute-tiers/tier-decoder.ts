/**
 * The binary COPY of tier-query.ts, in pieces of any size, into blocks: decoded where it arrives, without an object per
 * tuple. Decoding is synchronous, so nothing queues up here and the socket is not read faster than it is decoded.
 *
 * Big-endian; lengths precede values:
 *
 *   0    2    6 place 10   14 at    22   26
 *   | 3  |len | int32 |len | int64 us |len| bytes ...         len -1: no bytes
 *
 * Before the first: 11 bytes signature, 4 flags, 4 length of an extension; after the last: int16 -1.
 * https://www.postgresql.org/docs/current/sql-copy.html#SQL-COPY-FILE-FORMATS
 *
 * `at` counts us since 2000-01-01 and reaches 2^53 in the year 2285; it is read as two halves, without BigInt. It says what the bytes are:
 *
 *   on the minute                  records of the minute, of the series from `place` on (schema/src/minute-block)
 *   a second before an hour        the block of that hour of series `place`
 *   two seconds before a day       the block of that day of series `place`
 *   -infinity (the lowest int64)   the tag of series `place`
 */

const headerBytes = 19
const fields = 3
const lengthAt = 22
const bytesAt = 26
/** 2000-01-01T00:00:00Z. */
const postgresEpochMinutes = 15_778_080
const minuteMicros = 60_000_000
const minutesPerHour = 60
const minutesPerDay = 24 * minutesPerHour
/** Before its hour, and before its day. */
const hourMarkMicros = 1_000_000
const dayMarkMicros = 2_000_000
/** Upper half of the lowest int64. */
const minusInfinity = -2_147_483_648

/** What becomes of tuples as they arrive: minutes (tier-merge.ts) or hours (hour-merge.ts). */
export interface TierTarget {
  /** `seriesId`: of the first record. No bytes: of a layout that is not known here. */
  minutes(head: { readonly seriesId: number; readonly minute: number }, bytes: Uint8Array | undefined): void
  block(head: { readonly seriesId: number; readonly hour: number }, bytes: Uint8Array): void
  /** Only where day blocks are asked for. */
  day?(head: { readonly seriesId: number; readonly day: number }, bytes: Uint8Array): void
  /** Only where tags are asked for; 32 bits, unsigned. */
  tag?(seriesId: number, tag: number): void
  end(): void
}

export class TierDecoder {
  /** Blocks of any kind. */
  blockCount = 0
  #rest: Buffer = Buffer.alloc(0)
  #sawHeader = false
  readonly #target: TierTarget

  constructor(target: TierTarget) {
    this.#target = target
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

  /** @throws when the stream ended in the middle of a tuple. */
  end(): void {
    if (this.#rest.length !== 2 || this.#rest.readInt16BE(0) !== -1) {
      throw new Error(`BUG: COPY ended with ${this.#rest.length} bytes that are no tuple`)
    }
    this.#target.end()
  }

  /** @returns its bytes; 0 when it is not all there. */
  #tuple(bytes: Buffer, offset: number): number {
    if (offset + bytesAt > bytes.length) return 0
    const length = bytes.readInt32BE(offset + lengthAt)
    const size = bytesAt + Math.max(0, length)
    if (offset + size > bytes.length) return 0
    if (bytes.readInt16BE(offset) !== fields) throw new Error(`BUG: a COPY tuple without ${fields} fields`)
    const seriesId = bytes.readInt32BE(offset + 6)
    const upper = bytes.readInt32BE(offset + 14)
    if (upper === minusInfinity) {
      this.#target.tag?.(seriesId, bytes.readUInt32BE(offset + bytesAt))
      return size
    }
    this.blockCount++
    const content = length < 0 ? undefined : bytes.subarray(offset + bytesAt, offset + size)
    this.#block(seriesId, upper * 4_294_967_296 + bytes.readUInt32BE(offset + 18), content)
    return size
  }

  #block(seriesId: number, micros: number, bytes: Uint8Array | undefined): void {
    const minute = Math.ceil(micros / minuteMicros)
    const before = minute * minuteMicros - micros
    const since1970 = minute + postgresEpochMinutes
    if (before === 0) this.#target.minutes({ seriesId, minute: since1970 }, bytes)
    else if (bytes === undefined) throw new Error(`BUG: a block of series ${seriesId} without bytes`)
    else if (before === hourMarkMicros) this.#target.block({ seriesId, hour: since1970 / minutesPerHour }, bytes)
    else if (before === dayMarkMicros) this.#target.day?.({ seriesId, day: since1970 / minutesPerDay }, bytes)
    else throw new Error(`BUG: a COPY tuple ${before} us before a minute`)
  }
}
