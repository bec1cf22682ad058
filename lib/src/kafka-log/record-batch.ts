/**
 * Kafka's record batch, format 2: what a produce request carries for a partition and what a fetch returns. Pure.
 *
 *   offset 0 int64 base offset · 8 int32 length of what follows · 12 int32 leader epoch · 16 int8 magic (2)
 *   17 uint32 CRC-32C of the rest · 21 int16 attributes · 23 int32 last offset delta · 27 int64 first timestamp
 *   35 int64 largest timestamp · 43 int64 producer id · 51 int16 epoch · 53 int32 sequence · 57 int32 count · 61 records
 *
 * Written here by hand because kafkajs costs several times the CPU, compresses all batches of a request or none, and loses a
 * whole answer when one batch in it is damaged. Here a damaged batch is one unreadable record, and its neighbours are read.
 */
import { constants, gunzipSync, zstdCompressSync, zstdDecompressSync } from 'node:zlib'
import { crc32c } from './crc32c.ts'
import { ByteReader, ByteWriter, varintBytes } from './kafka-bytes.ts'

export type RecordHeaders = Readonly<Record<string, Buffer>>

export interface OutgoingRecord {
  readonly value: Buffer
  readonly headers: RecordHeaders
}

export interface StoredRecord {
  readonly offset: number
  /** The broker's clock at append, ms since the epoch: topics of ours have LogAppendTime. */
  readonly timestampMs: number
  /** With `damage`: the bytes of the whole batch. */
  readonly value: Buffer
  readonly headers: RecordHeaders
  /** Why the batch could not be decoded. */
  readonly damage?: string
}

export interface RecordSet {
  readonly records: readonly StoredRecord[]
  /** Where to fetch on; undefined when there was no whole batch. */
  readonly nextOffset: number | undefined
}

/** Of a dead letter that is a whole batch. */
export const damagedBatchReason = 'bad-batch'
const nothing = Buffer.alloc(0)
const headBytes = 61
const lengthAt = 8
const magicAt = 16
const crcAt = 17
const attributesAt = 21
const lastDeltaAt = 23
const countAt = 57
const gzip = 1
const zstd = 4
const compressionMask = 7
const logAppendTimeFlag = 8
const controlFlag = 32
/** A batch that unpacks to more than this is taken for damaged. */
const unpackedBytesMax = 128 * 1024 * 1024

/** Bytes a record takes in a batch, at most. */
export function recordBytes({ value, headers }: OutgoingRecord): number {
  let bytes = value.length + 32
  for (const [key, content] of Object.entries(headers)) bytes += Buffer.byteLength(key) + content.length + 10
  return bytes
}

export function encodeRecordBatch(
  records: readonly OutgoingRecord[],
  { nowMs, compressBytesMin }: { nowMs: number; compressBytesMin: number },
): Buffer {
  let bytesMax = headBytes
  for (const record of records) bytesMax += recordBytes(record)
  const writer = new ByteWriter(bytesMax)
  // Length, checksum and compression are filled in when they are known.
  writer.int64(0).int32(0).int32(-1).int8(2).int32(0).int16(0)
  writer.int32(records.length - 1)
  writer.int64(Math.floor(nowMs)).int64(Math.floor(nowMs))
  writer.int64(-1).int16(-1).int32(-1).int32(records.length)
  for (let index = 0; index < records.length; index++) writeRecord(writer, records[index] as OutgoingRecord, index)
  const batch = compressed(writer.bytes, compressBytesMin)
  batch.writeInt32BE(batch.length - lengthAt - 4, lengthAt)
  batch.writeUInt32BE(crc32c(batch.subarray(attributesAt)), crcAt)
  return batch
}

function compressed(batch: Buffer, bytesMin: number): Buffer {
  if (batch.length - headBytes < bytesMin) return batch
  const packed = zstdCompressSync(batch.subarray(headBytes), { params: { [constants.ZSTD_c_compressionLevel]: 1 } })
  if (packed.length >= batch.length - headBytes) return batch
  batch.writeInt16BE(zstd, attributesAt)
  return Buffer.concat([batch.subarray(0, headBytes), packed])
}

function writeRecord(writer: ByteWriter, { value, headers }: OutgoingRecord, offsetDelta: number): void {
  const names = Object.keys(headers)
  // Attributes, time and the length of no key take a byte each.
  let length = 3 + varintBytes(offsetDelta) + varintBytes(value.length) + value.length + varintBytes(names.length)
  for (const name of names) {
    const nameBytes = Buffer.byteLength(name)
    const contentBytes = headers[name]?.length ?? 0
    length += varintBytes(nameBytes) + nameBytes + varintBytes(contentBytes) + contentBytes
  }
  writer.varint(length).int8(0).varint(0).varint(offsetDelta).varint(-1)
  writer.varint(value.length).raw(value).varint(names.length)
  for (const name of names) {
    const content = headers[name] ?? nothing
    writer.varint(Buffer.byteLength(name)).text(name).varint(content.length).raw(content)
  }
}

/**
 * The whole batches at the beginning of `bytes`; a broker cuts the last one where its limit is. A batch whose checksum is wrong is one
 * damaged record, and nothing in its head is believed by itself: its time is that of the record before it, and where it ends is said by
 * the next batch, or by two of its fields that agree. While neither does, it is as if it had not come.
 */
export function decodeRecordSet(bytes: Buffer): RecordSet {
  const records: StoredRecord[] = []
  let nextOffset: number | undefined
  for (let batch = batchAt(bytes, 0), at = 0; batch !== undefined; ) {
    const baseOffset = new ByteReader(batch).int64()
    const next = batchAt(bytes, at + batch.length)
    if (isIntact(batch)) {
      decodeBatch(batch, baseOffset, records)
      nextOffset = baseOffset + batch.readInt32BE(lastDeltaAt) + 1
    } else {
      const follower = next !== undefined && isIntact(next) ? next : undefined
      const end = follower === undefined ? plausibleEnd(batch, baseOffset) : new ByteReader(follower).int64()
      if (end === undefined || end <= baseOffset) break
      const timestampMs = records.at(-1)?.timestampMs ?? 0
      records.push({ offset: baseOffset, timestampMs, value: batch, headers: {}, damage: 'its checksum is wrong' })
      nextOffset = end
      // Its length may be wrong as well: what follows is fetched again from there.
      if (follower === undefined) break
    }
    at += batch.length
    batch = next
  }
  return { records, nextOffset }
}

/** Undefined when there is no whole one. */
function batchAt(bytes: Buffer, at: number): Buffer | undefined {
  if (bytes.length - at < headBytes) return undefined
  const size = lengthAt + 4 + bytes.readInt32BE(at + lengthAt)
  return size < headBytes || bytes.length - at < size ? undefined : bytes.subarray(at, at + size)
}

function isIntact(batch: Buffer): boolean {
  return batch.readUInt32BE(crcAt) === crc32c(batch.subarray(attributesAt))
}

/** Nothing of ours is compacted, so that a batch has as many records as offsets. */
function plausibleEnd(batch: Buffer, baseOffset: number): number | undefined {
  const lastDelta = batch.readInt32BE(lastDeltaAt)
  return lastDelta >= 0 && batch.readInt32BE(countAt) === lastDelta + 1 ? baseOffset + lastDelta + 1 : undefined
}

function decodeBatch(batch: Buffer, baseOffset: number, into: StoredRecord[]): void {
  const head = new ByteReader(batch.subarray(attributesAt))
  const attributes = head.int16()
  head.int32()
  const firstMs = head.int64()
  const largestMs = head.int64()
  const timestampMs = (attributes & logAppendTimeFlag) !== 0 ? largestMs : Math.max(firstMs, largestMs)
  if ((attributes & controlFlag) !== 0) return
  const countBefore = into.length
  try {
    if (batch.readInt8(magicAt) !== 2) throw new RangeError(`format ${batch.readInt8(magicAt)}`)
    const reader = new ByteReader(unpack(batch.subarray(headBytes), attributes & compressionMask))
    const count = batch.readInt32BE(countAt)
    for (let index = 0; index < count; index++) into.push(readRecord(reader, baseOffset, timestampMs))
  } catch (error) {
    into.length = countBefore
    into.push({ offset: baseOffset, timestampMs, value: batch, headers: {}, damage: (error as Error).message })
  }
}

function unpack(body: Buffer, compression: number): Buffer {
  if (compression === 0) return body
  const options = { maxOutputLength: unpackedBytesMax }
  if (compression === zstd) return zstdDecompressSync(body, options)
  // A broker or topic whose compression.type is not `producer` packs again what we wrote.
  if (compression === gzip) return gunzipSync(body, options)
  throw new RangeError(`compression ${compression}, which is neither none, gzip nor zstd`)
}

function readRecord(reader: ByteReader, baseOffset: number, timestampMs: number): StoredRecord {
  const record = new ByteReader(reader.raw(reader.varint()))
  record.int8()
  record.skipVarlong()
  const offset = baseOffset + record.varint()
  const keyLength = record.varint()
  if (keyLength > 0) record.raw(keyLength)
  const value = record.raw(Math.max(0, record.varint()))
  const headers: Record<string, Buffer> = {}
  for (let left = record.varint(); left > 0; left--) {
    const key = record.raw(record.varint()).toString('utf8')
    headers[key] = record.raw(Math.max(0, record.varint()))
  }
  return { offset, timestampMs, value, headers }
}
