/**
 * One process' part in a consumer group of the Kafka log: which partitions it owns now, a reader for each, and a fetch loop
 * for each broker that leads any of them.
 *
 * Owned are the partitions of the shards the group gave to this member (group-membership.ts), as far as topics are known
 * (topic-registry.ts). When either changes, only the difference is revoked and assigned.
 */
import type { Clock } from '../clock.ts'
import type { Logger } from '../logging.ts'
import type {
  LogBatch,
  LogCommit,
  LogConsumer,
  LogPartition,
  LogRead,
  PartitionHandler,
} from '../sample-log/sample-log.ts'
import type { FetchBudget } from './fetch-budget.ts'
import { FetchLoop, pollMs } from './fetch-loop.ts'
import { GroupMembership } from './group-membership.ts'
import { GroupOffsets } from './group-offsets.ts'
import type { ShardAssignment } from './group-protocol.ts'
import { type KafkaCluster, keyOf } from './kafka-cluster.ts'
import type { KafkaLogMetrics, PartitionLag } from './kafka-log-metrics.ts'
import type { KafkaLogConfig } from './kafka-log-settings.ts'
import { PartitionReader } from './partition-reader.ts'
import { ReadWaits } from './read-waits.ts'
import type { RecordFraming } from './record-framing.ts'
import { shardOf } from './shard-assigner.ts'
import { samplePartitions, type TopicRegistry } from './topic-registry.ts'

/** Past the time between two fetches: enough for a process that is busy, too little to delete, make and fill a topic unseen. */
const unseenSlackMs = 500

export interface KafkaLogConsumerDeps {
  readonly cluster: KafkaCluster
  readonly registry: TopicRegistry
  readonly budget: FetchBudget
  readonly framing: RecordFraming
  readonly clock: Clock
  readonly log: Logger
  readonly metrics: KafkaLogMetrics
}

export class KafkaLogConsumer implements LogConsumer {
  readonly group: string
  readonly #config: KafkaLogConfig
  readonly #deps: KafkaLogConsumerDeps
  readonly #handler: PartitionHandler
  readonly #membership: GroupMembership
  readonly #offsets: GroupOffsets
  readonly #waits: ReadWaits
  readonly #readers = new Map<string, PartitionReader>()
  readonly #loops = new Map<number, { readonly loop: FetchLoop; readonly running: Promise<void> }>()
  readonly #stopping = new AbortController()
  #assignment: ShardAssignment | undefined
  #sequence = 0
  #forgetRegistry: () => void = () => {}
  #leaving: Promise<void> | undefined

  constructor(group: string, config: KafkaLogConfig, deps: KafkaLogConsumerDeps & { handler: PartitionHandler }) {
    this.group = group
    this.#config = config
    this.#deps = deps
    this.#handler = deps.handler
    this.#waits = new ReadWaits(deps)
    const groupId = `${config.topicPrefix}.${group}`
    this.#membership = new GroupMembership(groupId, config, { ...deps, onAssigned: (own) => this.#assigned(own) })
    this.#offsets = new GroupOffsets(groupId, config, { ...deps, generation: () => this.#membership.generation })
  }

  get isMember(): boolean {
    return this.#membership.generation !== undefined
  }

  get partitionCount(): number {
    return this.#readers.size
  }

  lags(): PartitionLag[] {
    const nowMs = this.#deps.clock.nowMs()
    return [...this.#readers.values()].map((reader) => ({
      topic: reader.topic,
      partition: reader.partition,
      group: this.group,
      records: reader.lagRecords,
      seconds: reader.lagSeconds(nowMs),
    }))
  }

  /** Resolves when this process is a member. */
  async start(): Promise<void> {
    this.#forgetRegistry = this.#deps.registry.onChange(() => {
      this.#reconcile()
      for (const { loop } of this.#loops.values()) loop.wake()
    })
    await this.#membership.start()
  }

  committed(partition: LogPartition): Promise<LogCommit> {
    return this.#offsets.committed(partition)
  }

  oldest(partition: LogPartition): Promise<number> {
    return this.#offsets.oldest(partition)
  }

  async read(request: LogRead): Promise<LogBatch> {
    return this.#owned(request.partition).read(request)
  }

  async commit(partition: LogPartition, position: number, mark?: string): Promise<void> {
    this.#owned(partition)
    await this.#offsets.commit(partition, { position, mark })
  }

  leave(): Promise<void> {
    this.#leaving ??= this.#leave()
    return this.#leaving
  }

  async #leave(): Promise<void> {
    this.#forgetRegistry()
    await this.#membership.leave()
    this.#stopping.abort()
    await Promise.all([...this.#loops.values()].map(({ running }) => running))
  }

  #owned(partition: LogPartition): PartitionReader {
    const reader = this.#readers.get(keyOf(partition))
    if (reader === undefined) throw new Error(`partition ${keyOf(partition)} does not belong to this member now`)
    return reader
  }

  #assigned(assignment: ShardAssignment | undefined): void {
    const { metrics } = this.#deps
    const { group } = this
    if (assignment !== undefined) metrics.rebalances.inc({ group })
    else if (!this.#stopping.signal.aborted && this.#leaving === undefined) metrics.membershipLosses.inc({ group })
    this.#assignment = assignment
    this.#reconcile()
  }

  /** Revokes and assigns what differs from what is owned. */
  #reconcile(): void {
    const wanted = this.#wanted()
    for (const [key, reader] of this.#readers) {
      if (wanted.get(key)?.incarnation === reader.incarnation) continue
      this.#readers.delete(key)
      reader.close()
      this.#handler.revoked({ topic: reader.topic, partition: reader.partition })
    }
    for (const [key, { topic, partition, incarnation }] of wanted) {
      if (this.#readers.has(key)) continue
      this.#readers.set(key, this.#makeReader({ topic, partition }, incarnation))
      this.#handler.assigned({ topic, partition })
    }
  }

  #wanted(): ReturnType<typeof samplePartitions> {
    const assignment = this.#assignment
    if (assignment === undefined) return new Map()
    const shards = new Set(assignment.shards)
    const wanted = samplePartitions(this.#deps.registry, this.#config.topicPrefix)
    for (const [key, partition] of wanted) {
      if (!shards.has(shardOf(partition, assignment.shardCount))) wanted.delete(key)
    }
    return wanted
  }

  #makeReader(partition: LogPartition, incarnation: number): PartitionReader {
    return new PartitionReader(partition, incarnation, {
      ...this.#deps,
      waits: this.#waits,
      bytesMax: this.#config.partitionFetchBytesMax,
      graceMs: 2 * pollMs + this.#config.fetchEveryMs + this.#config.requestTimeoutMs,
      unseenMsMax: this.#config.fetchEveryMs + unseenSlackMs,
      nextSequence: this.#nextSequence,
      onWanting: (reader) => this.#wakeLoopOf(reader),
    })
  }

  readonly #nextSequence = (): number => ++this.#sequence

  #wakeLoopOf(reader: PartitionReader): void {
    const leader = this.#deps.registry.leaderOf(reader)
    if (leader < 0 || this.#stopping.signal.aborted) return
    let running = this.#loops.get(leader)
    if (running === undefined) {
      const loop = new FetchLoop(leader, this.#config, {
        ...this.#deps,
        readers: () => this.#readers.values(),
        nextSequence: this.#nextSequence,
      })
      running = { loop, running: loop.run(this.#stopping.signal) }
      this.#loops.set(leader, running)
    }
    running.loop.wake()
  }
}
