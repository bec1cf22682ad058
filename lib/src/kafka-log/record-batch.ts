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
import { ByteReader, ByteWriter } from './kafka-bytes.ts'

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
const headBytes = 61
const lengthAt = 8
const magicAt = 16
const crcAt = 17
const attributesAt = 21
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
  const writer = new ByteWriter()
  for (const [index, record] of records.entries()) writeRecord(writer, record, index)
  let body = writer.bytes
  let attributes = 0
  if (body.length >= compressBytesMin) {
    const packed = zstdCompressSync(body, { params: { [constants.ZSTD_c_compressionLevel]: 1 } })
    if (packed.length < body.length) {
      body = packed
      attributes = zstd
    }
  }
  const batch = Buffer.allocUnsafe(headBytes + body.length)
  const head = new ByteWriter().int64(0).int32(batch.length - lengthAt - 4)
  head.int32(-1).int8(2).int32(0).int16(attributes)
  head.int32(records.length - 1)
  head.int64(Math.floor(nowMs)).int64(Math.floor(nowMs))
  head.int64(-1).int16(-1).int32(-1).int32(records.length)
  batch.set(head.bytes)
  batch.set(body, headBytes)
  batch.writeUInt32BE(crc32c(batch.subarray(attributesAt)), crcAt)
  return batch
}

function writeRecord(writer: ByteWriter, { value, headers }: OutgoingRecord, offsetDelta: number): void {
  const entries = Object.entries(headers)
  const head = new ByteWriter().int8(0).varint(0).varint(offsetDelta).varint(-1).varint(value.length)
  const tail = new ByteWriter().varint(entries.length)
  for (const [key, content] of entries) {
    tail.varint(Buffer.byteLength(key)).raw(Buffer.from(key)).varint(content.length).raw(content)
  }
  writer.varint(head.bytes.length + value.length + tail.bytes.length)
  writer.raw(head.bytes).raw(value).raw(tail.bytes)
}

/** The whole batches at the beginning of `bytes`; a broker cuts the last one where its limit is. */
export function decodeRecordSet(bytes: Buffer): RecordSet {
  const records: StoredRecord[] = []
  let nextOffset: number | undefined
  let at = 0
  while (bytes.length - at >= headBytes) {
    const size = lengthAt + 4 + bytes.readInt32BE(at + lengthAt)
    if (size < headBytes || bytes.length - at < size) break
    const batch = bytes.subarray(at, at + size)
    const reader = new ByteReader(batch)
    const baseOffset = reader.int64()
    const lastOffset = baseOffset + batch.readInt32BE(attributesAt + 2)
    decodeBatch(batch, baseOffset, records)
    nextOffset = lastOffset + 1
    at += size
  }
  return { records, nextOffset }
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
    const count = batch.readInt32BE(headBytes - 4)
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
