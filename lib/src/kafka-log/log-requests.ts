/**
 * The two requests that carry records, Produce version 7 and Fetch version 11, as bytes. Pure. An answer keeps the error of
 * each partition apart, so that one bad partition costs only itself.
 */
import { ByteReader, ByteWriter } from './kafka-bytes.ts'

export const produceApi = { apiKey: 0, apiVersion: 7, apiName: 'Produce' } as const
export const fetchApi = { apiKey: 1, apiVersion: 11, apiName: 'Fetch' } as const

export interface ProducePart {
  readonly topic: string
  readonly partition: number
  /** One record batch (record-batch.ts). */
  readonly batch: Buffer
}

export interface ProducedPart {
  readonly topic: string
  readonly partition: number
  readonly errorCode: number
  readonly baseOffset: number
}

/** Acknowledged by all in-sync replicas. */
export function encodeProduce(parts: readonly ProducePart[], timeoutMs: number): Buffer {
  const writer = new ByteWriter().string(null).int16(-1).int32(timeoutMs)
  const topics = byTopic(parts)
  writer.int32(topics.size)
  for (const [topic, ofTopic] of topics) {
    writer.string(topic).int32(ofTopic.length)
    for (const { partition, batch } of ofTopic) writer.int32(partition).int32(batch.length).raw(batch)
  }
  return writer.bytes
}

export function decodeProduced(bytes: Buffer): ProducedPart[] {
  const reader = new ByteReader(bytes)
  return reader
    .array(() => {
      const topic = reader.string() ?? ''
      return reader.array(() => {
        const part = { topic, partition: reader.int32(), errorCode: reader.int16(), baseOffset: reader.int64() }
        reader.int64()
        reader.int64()
        return part
      })
    })
    .flat()
}

export interface FetchPart {
  readonly topic: string
  readonly partition: number
  readonly offset: number
  readonly bytesMax: number
}

export interface FetchedPart {
  readonly topic: string
  readonly partition: number
  readonly errorCode: number
  /** The position after the last record that readers may see. */
  readonly highWatermark: number
  /** A view of the answer: copy what is kept. */
  readonly recordSet: Buffer
}

/** fetch-session.ts has what a session is. */
export interface FetchRequest {
  /** 0: none yet. */
  readonly sessionId: number
  /** Counts the requests of a session. 0 asks for one, or for another in place of sessionId; -1 asks for none. */
  readonly epoch: number
  /** All partitions to fetch, or from epoch 1 on only those that are new in the session or fetched otherwise than before. */
  readonly parts: readonly FetchPart[]
  readonly forgotten: readonly { readonly topic: string; readonly partition: number }[]
}

/** All that a request says beside its parts which is about them only. */
export const sessionless = { sessionId: 0, epoch: -1, forgotten: [] } as const

export interface FetchAnswer {
  /** Above 0 the broker leaves parts out because a quota was exceeded, not because there is nothing. */
  readonly throttleMs: number
  readonly errorCode: number
  /** 0: there is no session. */
  readonly sessionId: number
  readonly parts: readonly FetchedPart[]
}

export interface FetchLimits {
  /** How long the broker may hold the answer while it has nothing. */
  readonly waitMs: number
  readonly bytesMax: number
}

export function encodeFetch(request: FetchRequest, { waitMs, bytesMax }: FetchLimits): Buffer {
  // As a consumer, answered at one byte, read uncommitted: nothing of ours has transactions.
  const writer = new ByteWriter().int32(-1).int32(waitMs).int32(1).int32(bytesMax).int8(0)
  writer.int32(request.sessionId).int32(request.epoch)
  const topics = byTopic(request.parts)
  writer.int32(topics.size)
  for (const [topic, ofTopic] of topics) {
    writer.string(topic).int32(ofTopic.length)
    for (const part of ofTopic) {
      writer.int32(part.partition).int32(-1).int64(part.offset).int64(-1).int32(part.bytesMax)
    }
  }
  const forgotten = byTopic(request.forgotten)
  writer.int32(forgotten.size)
  for (const [topic, ofTopic] of forgotten) {
    writer.string(topic).int32(ofTopic.length)
    for (const { partition } of ofTopic) writer.int32(partition)
  }
  return writer.string('').bytes
}

export function decodeFetched(bytes: Buffer): FetchAnswer {
  const reader = new ByteReader(bytes)
  const throttleMs = reader.int32()
  const errorCode = reader.int16()
  const sessionId = reader.int32()
  const parts = reader.array(() => {
    const topic = reader.string() ?? ''
    return reader.array((): FetchedPart => {
      const partition = reader.int32()
      const code = reader.int16()
      const highWatermark = reader.int64()
      reader.int64()
      reader.int64()
      reader.array(() => [reader.int64(), reader.int64()])
      reader.int32()
      const recordSet = reader.raw(Math.max(0, reader.int32()))
      return { topic, partition, errorCode: code, highWatermark, recordSet }
    })
  })
  return { throttleMs, errorCode, sessionId, parts: parts.flat() }
}

export function byTopic<P extends { readonly topic: string }>(parts: readonly P[]): Map<string, P[]> {
  const topics = new Map<string, P[]>()
  for (const part of parts) {
    const ofTopic = topics.get(part.topic)
    if (ofTopic) ofTopic.push(part)
    else topics.set(part.topic, [part])
  }
  return topics
}
