/**
 * Which member of a group owns which shard: rendezvous hashing with a bounded load. Pure; every member that computes it
 * from the same members gets the same answer.
 *
 * Each (shard, member) pair has a weight, a hash of both. From the heaviest pair down, a shard goes to the member unless that one
 * is full. Full is the fair share: all have floor(shards / members), and the remainder one more each. A member that comes or
 * goes changes the weights of its own pairs only, so few other shards move.
 *
 * A partition belongs to the shard (hash(topic) + partition) mod shards, so the partitions of a topic spread over members.
 */
import { stableHash } from './topic-names.ts'

export function shardOf({ topic, partition }: { topic: string; partition: number }, shardCount: number): number {
  return (stableHash(topic) + partition) % shardCount
}

export function assignShards(memberIds: readonly string[], shardCount: number): Map<string, number[]> {
  const members = [...new Set(memberIds)].sort()
  const owned = new Map(members.map((member) => [member, [] as number[]]))
  if (members.length === 0) return owned
  const pairs = members.flatMap((member) => {
    const seed = stableHash(member)
    return Array.from({ length: shardCount }, (_, shard) => ({ member, shard, weight: mix(seed, shard) }))
  })
  pairs.sort((a, b) => b.weight - a.weight || a.shard - b.shard || (a.member < b.member ? -1 : 1))
  const share = Math.floor(shardCount / members.length)
  let extras = shardCount % members.length
  const taken = new Set<number>()
  for (const { member, shard } of pairs) {
    const shards = owned.get(member) as number[]
    if (taken.has(shard) || shards.length > share || (shards.length === share && extras === 0)) continue
    if (shards.length === share) extras--
    shards.push(shard)
    taken.add(shard)
  }
  for (const shards of owned.values()) shards.sort((a, b) => a - b)
  return owned
}

function mix(seed: number, shard: number): number {
  let hash = Math.imul(seed ^ Math.imul(shard + 1, 0x9e3779b1), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 15), 0xc2b2ae35)
  hash = Math.imul(hash ^ (hash >>> 13), 0x27d4eb2f)
  return (hash ^ (hash >>> 16)) >>> 0
}
