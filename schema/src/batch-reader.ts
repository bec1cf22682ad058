/**
 * Reads a SampleBatch of today's schema the way agents write it, in place: what it returns are views of the bytes, where avsc copies
 * lists and matrices (20 us of 30 for 200 series, measured). Anything unusual, well-formed or not (an array in parts, numbers
 * beyond 48 bits, bytes missing or left over), is undefined: then avsc, which knows all of Avro, has the word.
 *
 * Layout: docs/formats.md; https://avro.apache.org/docs/1.12.0/specification/#binary-encoding
 */
import type { SampleBatch, SampleBlock } from './sample-codec.ts'

/** 49 bits, exact in a double; instants take 42. */
const varintBytesMax = 7
const intMin = -(2 ** 31)
const intMax = 2 ** 31 - 1

class Cursor {
  at = 0
  readonly bytes: Buffer

  constructor(bytes: Buffer) {
    this.bytes = bytes
  }

  /** NaN when there is none that is short enough. */
  long(): number {
    let value = 0
    let factor = 1
    for (let count = 0; count < varintBytesMax; count++) {
      const byte = this.bytes[this.at++]
      if (byte === undefined) return Number.NaN
      value += (byte & 0x7f) * factor
      if (byte < 0x80) return value % 2 === 0 ? value / 2 : -(value + 1) / 2
      factor *= 128
    }
    return Number.NaN
  }

  int(): number {
    const value = this.long()
    return value >= intMin && value <= intMax ? value : Number.NaN
  }

  /** A view. */
  take(): Buffer | undefined {
    const length = this.long()
    const end = this.at + length
    if (!(length >= 0 && end <= this.bytes.length)) return undefined
    const taken = this.bytes.subarray(this.at, end)
    this.at = end
    return taken
  }
}

/** `body` comes after the frame. */
export function readSampleBatch(body: Buffer, blocksMax: number): SampleBatch | undefined {
  const cursor = new Cursor(body)
  const serverId = cursor.take()?.toString('utf8')
  const sentAtMs = cursor.long()
  const count = cursor.long()
  if (serverId === undefined || Number.isNaN(sentAtMs) || !(count >= 0 && count <= blocksMax)) return undefined
  const blocks: SampleBlock[] = []
  for (let index = 0; index < count; index++) {
    const block = readBlock(cursor)
    if (block === undefined) return undefined
    blocks.push(block)
  }
  // An empty array has no part before its end.
  if (count > 0 && cursor.long() !== 0) return undefined
  return cursor.at === body.length ? { serverId, sentAtMs, blocks } : undefined
}

function readBlock(cursor: Cursor): SampleBlock | undefined {
  const startMs = cursor.long()
  const stepMs = cursor.int()
  const slotCount = cursor.int()
  const series = cursor.take()
  const values = cursor.take()
  if (Number.isNaN(startMs + stepMs + slotCount) || series === undefined || values === undefined) return undefined
  return { startMs, stepMs, slotCount, series, values }
}
