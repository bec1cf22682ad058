/**
 * What stands in the files of the spool, byte by byte (docs/formats.md, "agent spool"). Pure. Everything is a record in the
 * same frame, so that one scan reads any file:
 *
 *    0       2         3      4        8        12
 *   | 4d 6c | version | kind | length | CRC-32 | payload       little-endian; the CRC is of all but the mark and itself
 *
 * A file ends wherever its writer was killed or its disk was full. What is not a whole record with the right checksum is
 * skipped up to the next one that is: a torn tail costs itself, and so does damage in the middle.
 *
 * Instants are ms since the epoch.
 */
import { constants, crc32, zstdCompressSync, zstdDecompressSync } from 'node:zlib'
import { decodeSampleBatch, decodeSeriesList, encodeSampleBatch, encodeSeriesList } from '@minutely/schema/sample-codec'
import type { SeriesRef } from '@minutely/schema/series-identity'
import type { Batch } from './batch.ts'
import type { HostSample } from './host-metrics.ts'

const mark = Buffer.from([0x4d, 0x6c])
const version = 1
const frameBytes = 12
/** Of a real batch (76 series, 14.2 kB) level 3 makes 3.0 kB in 0.14 ms. */
const zstdLevel = 3
/** Around the series and the values of a batch: names, lengths, grid. */
const batchOverheadBytesMax = 4096
const headBytes = 29

const kindNumbers = { batch: 1, acknowledged: 2, server: 3, series: 4, reading: 5 } as const
export type RecordKind = keyof typeof kindNumbers

export interface Frame {
  readonly kind: RecordKind
  /** Of its first byte in the file. */
  readonly offset: number
  /** Of frame and payload together. */
  readonly bytes: number
  readonly payload: Buffer
}

/** What is known of a batch without reading its samples. */
export interface BatchHead {
  /** Whose samples they are: a host may have been renamed since. */
  readonly serverId: string
  /** When it was written, by the host's clock. */
  readonly storedAtMs: number
  readonly startMs: number
  readonly seriesCount: number
  readonly sampleCount: number
  /** Of its series and values in memory. */
  readonly blockBytes: number
}

export function encodeFrame(kind: RecordKind, payload: Uint8Array): Buffer {
  const frame = Buffer.allocUnsafe(frameBytes + payload.length)
  mark.copy(frame)
  frame.writeUInt8(version, 2)
  frame.writeUInt8(kindNumbers[kind], 3)
  frame.writeUInt32LE(payload.length, 4)
  frame.set(payload, frameBytes)
  frame.writeUInt32LE(checksumOf(frame), 8)
  return frame
}

/** The record that begins at the offset, if there is a whole and sound one of a kind and version known here. */
export function frameAt(bytes: Buffer, offset: number): Frame | undefined {
  if (offset + frameBytes > bytes.length || bytes.compare(mark, 0, mark.length, offset, offset + mark.length) !== 0)
    return
  const end = offset + frameBytes + bytes.readUInt32LE(offset + 4)
  if (end > bytes.length) return
  const frame = bytes.subarray(offset, end)
  const kind = kindOf(frame.readUInt8(3))
  if (frame.readUInt8(2) !== version || kind === undefined || checksumOf(frame) !== frame.readUInt32LE(8)) return
  return { kind, offset, bytes: frame.length, payload: frame.subarray(frameBytes) }
}

/** All sound records of a file in order, and how many bytes belong to none. */
export function scanFrames(bytes: Buffer): { readonly frames: readonly Frame[]; readonly unsoundBytes: number } {
  const frames: Frame[] = []
  let unsoundBytes = bytes.length
  let offset = 0
  while (offset !== -1 && offset < bytes.length) {
    const frame = frameAt(bytes, offset)
    if (frame === undefined) {
      offset = bytes.indexOf(mark, offset + 1)
    } else {
      frames.push(frame)
      unsoundBytes -= frame.bytes
      offset += frame.bytes
    }
  }
  return { frames, unsoundBytes }
}

export function encodeBatch(
  batch: Batch,
  { serverId, storedAtMs }: Pick<BatchHead, 'serverId' | 'storedAtMs'>,
): Buffer {
  const { block, seriesCount, sampleCount } = batch
  const name = Buffer.from(serverId)
  const head = Buffer.allocUnsafe(headBytes)
  head.writeDoubleLE(storedAtMs, 0)
  head.writeDoubleLE(block.startMs, 8)
  head.writeUInt32LE(seriesCount, 16)
  head.writeUInt32LE(sampleCount, 20)
  head.writeUInt32LE(block.series.length + block.values.length, 24)
  head.writeUInt8(name.length, 28)
  const body = encodeSampleBatch({ serverId, sentAtMs: storedAtMs, blocks: [block] })
  const compressed = zstdCompressSync(body, { params: { [constants.ZSTD_c_compressionLevel]: zstdLevel } })
  return encodeFrame('batch', Buffer.concat([head, name, compressed]))
}

export function decodeBatchHead(payload: Buffer): BatchHead {
  return {
    storedAtMs: payload.readDoubleLE(0),
    startMs: payload.readDoubleLE(8),
    seriesCount: payload.readUInt32LE(16),
    sampleCount: payload.readUInt32LE(20),
    blockBytes: payload.readUInt32LE(24),
    serverId: payload.toString('utf8', headBytes, headBytes + payload.readUInt8(28)),
  }
}

/** @throws CodecError when an agent of another version wrote what this one cannot read. */
export function decodeBatch(payload: Buffer): Batch {
  const { seriesCount, sampleCount, blockBytes } = decodeBatchHead(payload)
  const body = zstdDecompressSync(payload.subarray(headBytes + payload.readUInt8(28)), {
    maxOutputLength: blockBytes + batchOverheadBytesMax,
  })
  const [block] = decodeSampleBatch(body).blocks
  if (block === undefined) throw new Error('a batch of the spool holds no block')
  return { block, seriesCount, sampleCount }
}

/** The batch at that offset of the segment needs not be sent any more. */
export function encodeAcknowledged(offset: number): Buffer {
  const payload = Buffer.allocUnsafe(4)
  payload.writeUInt32LE(offset)
  return encodeFrame('acknowledged', payload)
}

export function decodeAcknowledged(payload: Buffer): number {
  return payload.readUInt32LE(0)
}

export function encodeServer(serverId: string): Buffer {
  return encodeFrame('server', Buffer.from(serverId))
}

export function decodeServer(payload: Buffer): string {
  return payload.toString('utf8')
}

/** Gives series their numbers in this file: the first, and so on. Explicit, so that a damaged record renames no series. */
export function encodeSeries(firstNumber: number, series: readonly SeriesRef[]): Buffer {
  const first = Buffer.allocUnsafe(4)
  first.writeUInt32LE(firstNumber)
  return encodeFrame('series', Buffer.concat([first, encodeSeriesList(series)]))
}

export function decodeSeries(payload: Buffer): [number: number, series: SeriesRef][] {
  const first = payload.readUInt32LE(0)
  return decodeSeriesList(payload.subarray(4)).map((series, index) => [first + index, series])
}

/** One second of samples, each with the number of its series. */
export function encodeReading(
  secondMs: number,
  samples: readonly (readonly [series: number, value: number])[],
): Buffer {
  const payload = Buffer.allocUnsafe(8 + 12 * samples.length)
  payload.writeDoubleLE(secondMs, 0)
  for (const [index, [series, value]] of samples.entries()) {
    payload.writeUInt32LE(series, 8 + 12 * index)
    payload.writeDoubleLE(value, 12 + 12 * index)
  }
  return encodeFrame('reading', payload)
}

/** Samples of series that are not among these are left out: the record that names them was damaged. */
export function decodeReading(
  payload: Buffer,
  series: ReadonlyMap<number, SeriesRef>,
): { readonly secondMs: number; readonly samples: readonly HostSample[] } {
  const samples: HostSample[] = []
  for (let at = 8; at + 12 <= payload.length; at += 12) {
    const ref = series.get(payload.readUInt32LE(at))
    if (ref !== undefined) samples.push({ series: ref, value: payload.readDoubleLE(at + 4) })
  }
  return { secondMs: payload.readDoubleLE(0), samples }
}

function kindOf(number: number): RecordKind | undefined {
  const found = Object.entries(kindNumbers).find(([, known]) => known === number)
  return found?.[0] as RecordKind | undefined
}

function checksumOf(frame: Buffer): number {
  return crc32(frame.subarray(frameBytes), crc32(frame.subarray(2, 8)))
}
