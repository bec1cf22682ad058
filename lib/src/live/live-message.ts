/**
 * Messages of the live channel, as bytes, and the names of its channels.
 *
 *   | 1 | JSON                 plain, when short
 *   | 2 | zstd of JSON         else: labels repeat, 15 KB of 100 series become 3 KB (0.3 ms each way)
 *
 *   <prefix>:live:<tenant>:<server>    minutes and parts of minutes; a query API subscribes while it has a viewer
 *   <prefix>:ask                       questions; every aggregator subscribes
 *   <prefix>:reply:<reader>            answers to one query API
 *
 * A first byte or a shape that is not known is an unreadable message: it is dropped and counted, as with a newer version.
 */
import { zstdCompressSync, zstdDecompressSync } from 'node:zlib'
import { type LiveMinute, liveMinute } from '@minutely/schema/query-wire'
import { z } from 'zod'
import type { ServerKey } from './live-channel.ts'

const minuteMessage = z.object({ kind: z.literal('minute'), minute: liveMinute })
const question = z.object({
  kind: z.literal('question'),
  id: z.int(),
  replyTo: z.string(),
  tenantId: z.string(),
  serverId: z.string(),
})
/** Any number of these, of which the last says so; `from` names the aggregator. */
const answer = z.object({
  kind: z.literal('answer'),
  id: z.int(),
  from: z.string(),
  isLast: z.boolean(),
  minute: liveMinute.optional(),
})
const liveMessage = z.discriminatedUnion('kind', [minuteMessage, question, answer])

export type LiveMessage = z.infer<typeof liveMessage>
export type LiveQuestion = z.infer<typeof question>
export type LiveAnswer = z.infer<typeof answer>

const plain = 1
const compressed = 2
const compressFromBytes = 1024
/** Our own messages compress up to about tenfold. */
const expansionMax = 32

export function encodeMessage(message: LiveMessage): Buffer {
  const json = Buffer.from(JSON.stringify(message))
  if (json.length < compressFromBytes) return Buffer.concat([Buffer.of(plain), json])
  return Buffer.concat([Buffer.of(compressed), zstdCompressSync(json)])
}

/** @returns undefined for what is not a message of ours, or too large. */
export function decodeMessage(bytes: Buffer, bytesMax: number): LiveMessage | undefined {
  if (bytes.length > bytesMax) return undefined
  try {
    return liveMessage.safeParse(JSON.parse(textOf(bytes, bytesMax))).data
  } catch {
    return undefined
  }
}

function textOf(bytes: Buffer, bytesMax: number): string {
  const body = bytes.subarray(1)
  if (bytes[0] === plain) return body.toString()
  if (bytes[0] !== compressed) throw new Error(`a message of an unknown form ${bytes[0]}`)
  return zstdDecompressSync(body, { maxOutputLength: bytesMax * expansionMax }).toString()
}

const partSeriesMax = 500

/** Fits the minute into messages of at most bytesMax; a series that alone is too large is left out and told to onTooLarge. */
export function* minuteMessages(
  minute: LiveMinute,
  bytesMax: number,
  form: { wrap: (part: LiveMinute) => LiveMessage; onTooLarge: () => void },
): Generator<Buffer> {
  const { series } = minute
  if (series.length <= partSeriesMax) {
    const bytes = encodeMessage(form.wrap(minute))
    if (bytes.length <= bytesMax) return yield bytes
    if (series.length <= 1) return form.onTooLarge()
  }
  const half = Math.ceil(series.length / 2)
  yield* minuteMessages({ ...minute, series: series.slice(0, half) }, bytesMax, form)
  yield* minuteMessages({ ...minute, series: series.slice(half) }, bytesMax, form)
}

export function askChannel(prefix: string): string {
  return `${prefix}:ask`
}

export function replyChannel(prefix: string, reader: string): string {
  return `${prefix}:reply:${reader}`
}

export function serverChannel(prefix: string, { tenantId, serverId }: ServerKey): string {
  return `${prefix}:live:${encodeURIComponent(tenantId)}:${encodeURIComponent(serverId)}`
}

/** The channels of all servers, as PUBSUB CHANNELS takes it: a prefix has no special characters. */
export function serverChannels(prefix: string): string {
  return `${prefix}:live:*`
}

export function serverOfChannel(prefix: string, channel: string): ServerKey | undefined {
  const [tenantId, serverId, more] = channel.slice(`${prefix}:live:`.length).split(':')
  if (tenantId === undefined || serverId === undefined || more !== undefined) return undefined
  try {
    return { tenantId: decodeURIComponent(tenantId), serverId: decodeURIComponent(serverId) }
  } catch {
    return undefined
  }
}
