/**
 * The bytes of the ring in Redis (docs/formats.md, "recent ring"). Pure.
 *
 * A key for each series and hour: `<prefix>:<epoch>:<run>:` (run: the first 8 characters of the run id), then 23
 * characters of hex: series id (8), tag (8), `:`, hours since the epoch (6). Its value is a list of records of 36 bytes,
 * in the order in which they came, little-endian:
 *
 *    0        4          12     20     28     36
 *   | minute | seen     | min  | max  | sum  |      minute: since the epoch, u32. seen: u64, bit s = second s has a sample.
 *   | u32    | u64      | f64  | f64  | f64  |      The hour of the minute is the hour of the key.
 *
 * Appending never takes anything away, so pushes may come in any order and more than once. Of the records of one minute
 * that one counts whose seen contains all the others'; if there is none, the minute is not covered. A value of more than
 * valueBytesMax bytes is replaced by one byte, which makes its length no multiple of 36 from then on: such an hour is
 * not covered. (Deleting it instead would let an old record, still on its way, pass for all there is.)
 */
import assert from 'node:assert/strict'
import type { RingIdentity, RingReading, RingRows, RingSeries } from './recent-ring.ts'

export const recordBytes = 36
export const keyBytes = 23
export const minutesPerHour = 60
/** Each minute of the hour four times. */
export const valueBytesMax = 4 * minutesPerHour * recordBytes
const hourDigits = 6
/** Key and length of what follows. */
const chunkHeadBytes = keyBytes + 2

export function keyPrefix(prefix: string, { epoch, runId = '' }: RingIdentity): string {
  return `${prefix}:${epoch}:${runId.slice(0, 8)}:`
}

export function ringKey({ seriesId, tag }: RingSeries, hour: number): string {
  return `${hex(seriesId, 8)}${hex(tag, 8)}:${hex(hour, hourDigits)}`
}

function hex(value: number, digits: number): string {
  return value.toString(16).padStart(digits, '0')
}

/**
 * ARGV: what keys start with, seconds that a key lives after the start of its hour, valueBytesMax, chunks. A chunk: key, length of its
 * records (u16, little-endian), records. An hour that is complete (2160 bytes) is stored anew, because what grew by APPEND has
 * nearly as much room again behind it.
 */
export const pushLua = `
local prefix, lifeS, bytesMax, data = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), ARGV[4]
local call, sub, byte = redis.call, string.sub, string.byte
local at, size = 1, #data
while at <= size do
  local suffix = sub(data, at, at + 22)
  local low, high = byte(data, at + 23, at + 24)
  local bytes = low + 256 * high
  local length = call('APPEND', prefix .. suffix, sub(data, at + 25, at + 24 + bytes))
  if length == bytes then
    call('EXPIREAT', prefix .. suffix, tonumber(sub(suffix, 18), 16) * 3600 + lifeS)
  elseif length >= 2160 and length - bytes < 2160 then
    call('SET', prefix .. suffix, call('GET', prefix .. suffix), 'KEEPTTL')
  elseif length > bytesMax then
    call('SET', prefix .. suffix, '!', 'KEEPTTL')
  end
  at = at + 25 + bytes
end
return redis.status_reply('OK')`

/** The rows as chunks for pushLua, in parts of at most bytesMax. */
export function* encodeParts(rows: RingRows, bytesMax: number): Generator<{ bytes: Buffer; rows: number }> {
  const rowBytesMax = chunkHeadBytes + recordBytes
  assert(bytesMax >= rowBytesMax, `BUG: no row fits into ${bytesMax} bytes`)
  const rowsMax = Math.floor(bytesMax / rowBytesMax)
  for (let from = 0; from < rows.count; from += rowsMax) {
    const to = Math.min(rows.count, from + rowsMax)
    yield { bytes: encodeRange(rows, from, to), rows: to - from }
  }
}

function encodeRange(rows: RingRows, from: number, to: number): Buffer {
  const bytes = Buffer.allocUnsafe((to - from) * (chunkHeadBytes + recordBytes))
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  let at = 0
  let lengthAt = 0
  let inChunk = 0
  let [seriesId, tag, hour] = [-1, -1, -1]
  for (let row = from; row < to; row++) {
    const minute = rows.minutes[row] as number
    const rowHour = Math.floor(minute / minutesPerHour)
    const isNext = rows.seriesIds[row] === seriesId && rowHour === hour && rows.tags[row] === tag
    if (!isNext || inChunk === minutesPerHour) {
      ;[seriesId, tag, hour] = [rows.seriesIds[row] as number, rows.tags[row] as number, rowHour]
      writeHex(bytes, at, { value: seriesId, digits: 8 })
      writeHex(bytes, at + 8, { value: tag, digits: 8 })
      bytes[at + 16] = colon
      writeHex(bytes, at + 17, { value: hour, digits: hourDigits })
      lengthAt = at + keyBytes
      inChunk = 0
      at += chunkHeadBytes
    }
    view.setUint32(at, minute, true)
    view.setUint32(at + 4, rows.seenLow[row] as number, true)
    view.setUint32(at + 8, rows.seenHigh[row] as number, true)
    view.setFloat64(at + 12, rows.min[row] as number, true)
    view.setFloat64(at + 20, rows.max[row] as number, true)
    view.setFloat64(at + 28, rows.sum[row] as number, true)
    view.setUint16(lengthAt, ++inChunk * recordBytes, true)
    at += recordBytes
  }
  return bytes.subarray(0, at)
}

const colon = 0x3a
const hexDigits = Buffer.from('0123456789abcdef', 'latin1')

function writeHex(bytes: Buffer, at: number, { value, digits }: { value: number; digits: number }): void {
  for (let digit = digits - 1, rest = value; digit >= 0; digit--, rest >>>= 4) {
    bytes[at + digit] = hexDigits[rest & 15] as number
  }
}

/** A reading that covers nothing yet; addValue puts what Redis has into it. */
export class RingColumns implements RingReading {
  readonly fromMs: number
  readonly minuteCount: number
  readonly covered: Uint8Array
  coveredCount = 0
  readonly seenLow: Uint32Array
  readonly seenHigh: Uint32Array
  readonly min: Float64Array
  readonly max: Float64Array
  readonly sum: Float64Array
  readonly #fromMinute: number

  constructor(rowCount: number, fromMinute: number, toMinute: number) {
    this.#fromMinute = fromMinute
    this.fromMs = fromMinute * 60_000
    this.minuteCount = toMinute - fromMinute
    const slots = rowCount * this.minuteCount
    this.covered = new Uint8Array(slots)
    this.seenLow = new Uint32Array(slots)
    this.seenHigh = new Uint32Array(slots)
    this.min = new Float64Array(slots)
    this.max = new Float64Array(slots)
    this.sum = new Float64Array(slots)
  }

  /** `hour`: of the key. Records of minutes outside it or outside the range are not taken. */
  addValue(row: number, hour: number, value: Buffer): void {
    if (value.length % recordBytes !== 0) return
    const view = new DataView(value.buffer, value.byteOffset, value.byteLength)
    for (let at = 0; at < value.length; at += recordBytes) {
      const minute = view.getUint32(at, true)
      const index = minute - this.#fromMinute
      if (index < 0 || index >= this.minuteCount || Math.floor(minute / minutesPerHour) !== hour) continue
      this.#addRecord(row * this.minuteCount + index, view, at)
    }
  }

  /** seenLow and seenHigh hold the union of all records of the slot; it is covered while one record has all of it. */
  #addRecord(slot: number, view: DataView, at: number): void {
    const [low, high] = [view.getUint32(at + 4, true), view.getUint32(at + 8, true)]
    const [unionLow, unionHigh] = [this.seenLow[slot] as number, this.seenHigh[slot] as number]
    const [newLow, newHigh] = [(unionLow | low) >>> 0, (unionHigh | high) >>> 0]
    if (newLow === unionLow && newHigh === unionHigh && this.covered[slot] === 1) return
    if (newLow !== low || newHigh !== high || (low | high) === 0) {
      this.coveredCount -= this.covered[slot] as number
      this.covered[slot] = 0
    } else {
      this.coveredCount += 1 - (this.covered[slot] as number)
      this.covered[slot] = 1
      this.min[slot] = view.getFloat64(at + 12, true)
      this.max[slot] = view.getFloat64(at + 20, true)
      this.sum[slot] = view.getFloat64(at + 28, true)
    }
    this.seenLow[slot] = newLow
    this.seenHigh[slot] = newHigh
  }
}
