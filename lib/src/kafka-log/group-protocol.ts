/**
 * What the members of a group tell each other, as bytes. Pure. The group is of Kafka's type `consumer`, so that Kafka's own tools
 * show it: subscriptions and assignments have the layout of that protocol (version 0) without topics; ours stands in the part
 * for user data, as JSON: an assignment {"shardCount":64,"shards":[0,7]}.
 */
import { z } from 'zod'
import { ByteReader, ByteWriter } from './kafka-bytes.ts'

export const protocolName = 'minutely-shards'

export interface ShardAssignment {
  /** The leader's: all members must count alike, also while a new setting is rolled out. */
  readonly shardCount: number
  readonly shards: readonly number[]
}

const shape = z.object({ shardCount: z.int().min(1), shards: z.array(z.int().min(0)) })

export function encodeSubscription(): Buffer {
  return withUserData(Buffer.alloc(0))
}

export function encodeAssignment(assignment: ShardAssignment): Buffer {
  return withUserData(Buffer.from(JSON.stringify(assignment)))
}

/** @throws RangeError or a ZodError when it is not ours. */
export function decodeAssignment(bytes: Buffer): ShardAssignment {
  const reader = new ByteReader(bytes)
  reader.int16()
  reader.array(() => [reader.string(), reader.array(() => reader.int32())])
  return shape.parse(JSON.parse(reader.raw(reader.int32()).toString('utf8')))
}

function withUserData(userData: Buffer): Buffer {
  return new ByteWriter().int16(0).int32(0).int32(userData.length).raw(userData).bytes
}
