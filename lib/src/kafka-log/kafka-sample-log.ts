/**
 * The sample log on Kafka: the log of the distributed form. A topic for each metric up to a limit, then shared ones; a partition
 * by (tenant, server). docs/decisions/0009 says why it is built as it is.
 *
 *   append ──> kafka-producer ──┐                              ┌──> fetch-loop ──> partition-reader ──> read
 *   route ───> topic-registry ──┼──> kafka-cluster ──> wire <──┤
 *                               └───────── (kafkajs) ──────────┴──> group-membership, group-offsets ──> join, commit
 *
 * A collector never joins, an aggregator never appends; neither costs anything until it is used. Stopping waits for appends
 * under way and leaves the groups.
 */
import type { Registry } from 'prom-client'
import type { Clock } from '../clock.ts'
import type { ReadinessCheck } from '../http-server.ts'
import type { Logger } from '../logging.ts'
import {
  type LogAppend,
  type LogConsumer,
  type LogPartition,
  LogUnavailableError,
  type PartitionHandler,
  type SampleLog,
} from '../sample-log/sample-log.ts'
import { FetchBudget } from './fetch-budget.ts'
import { KafkaCluster } from './kafka-cluster.ts'
import { KafkaDeadLetters } from './kafka-dead-letters.ts'
import { KafkaLogConsumer, type KafkaLogConsumerDeps } from './kafka-log-consumer.ts'
import { createKafkaLogMetrics } from './kafka-log-metrics.ts'
import type { KafkaLogConfig } from './kafka-log-settings.ts'
import { KafkaProducer } from './kafka-producer.ts'
import type { RecordFraming } from './record-framing.ts'
import { stableHash } from './topic-names.ts'
import { samplePartitions, TopicRegistry } from './topic-registry.ts'

export interface KafkaSampleLogDeps {
  readonly framing: RecordFraming
  readonly clock: Clock
  readonly log: Logger
  readonly registry: Registry
}

export class KafkaSampleLog implements SampleLog {
  /** Its records go by their schema's id in the registry, and its producer compresses. */
  readonly takesBundles = false
  readonly name = 'sample-log'
  readonly deadLetters: KafkaDeadLetters
  /** For operations beyond the port: tests delete topics with it. */
  readonly cluster: KafkaCluster
  readonly #config: KafkaLogConfig
  readonly #framing: RecordFraming
  readonly #topics: TopicRegistry
  readonly #producer: KafkaProducer
  readonly #consumerDeps: KafkaLogConsumerDeps
  readonly #consumers = new Set<KafkaLogConsumer>()
  #isStopped = false

  constructor(config: KafkaLogConfig, { framing, clock, log, registry }: KafkaSampleLogDeps) {
    const budget = new FetchBudget(config.fetchBytesMax)
    const metrics = createKafkaLogMetrics(registry, {
      sendBytes: () => this.#producer.bytesInFlight,
      fetchBytes: () => budget.heldBytes,
      ownTopics: () => this.#topics.ownTopicCount,
      memberships: () =>
        [...this.#consumers].map(({ group, isMember, partitionCount }) => ({
          group,
          isMember,
          partitions: partitionCount,
        })),
      lags: () => [...this.#consumers].flatMap((consumer) => consumer.lags()),
    })
    this.#config = config
    this.#framing = framing
    this.cluster = new KafkaCluster(config, { clock, log })
    const { cluster } = this
    this.#topics = new TopicRegistry(config, { cluster, clock, log, onRedirected: () => metrics.redirects.inc() })
    this.#producer = new KafkaProducer(config, { cluster, registry: this.#topics, clock, metrics })
    this.#consumerDeps = { cluster, registry: this.#topics, budget, framing, clock, log, metrics }
    this.deadLetters = new KafkaDeadLetters(config, { ...this.#consumerDeps, producer: this.#producer })
  }

  /** By the last look at the topics, every KAFKA_METADATA_EVERY_MS and after each failure. */
  readonly readiness: ReadinessCheck = () => {
    const { problem } = this.#topics
    return problem === null ? null : `sample-log: ${problem}`
  }

  async start(): Promise<void> {
    await this.#topics.start()
  }

  async stop(): Promise<void> {
    this.#isStopped = true
    await Promise.all([...this.#consumers].map((consumer) => consumer.leave()))
    await this.#producer.idle()
    await this.#topics.stop()
    this.cluster.wire.close()
  }

  route({ tenantId, serverId, metricId }: { tenantId: string; serverId: string; metricId: string }): LogPartition {
    const topic = this.#topics.topicFor(metricId)
    return { topic, partition: stableHash(`${tenantId}\u0001${serverId}`) % this.#topics.partitionCount(topic) }
  }

  async append(records: readonly LogAppend[]): Promise<void> {
    if (this.#isStopped) throw new LogUnavailableError('the log is stopping')
    await this.#producer.append(
      records.map(({ topic, partition, payload }) => ({ topic, partition, record: this.#framing.frame(payload) })),
    )
  }

  /** Makes the topics of these metrics before their first record, which is then not slowed down by it. */
  async prepare(metricIds: readonly string[]): Promise<void> {
    const { failures } = await this.#topics.resolve(metricIds.map((metricId) => this.#topics.topicFor(metricId)))
    const [failure] = failures
    if (failure !== undefined) throw new LogUnavailableError(`topic ${failure[0]} could not be made: ${failure[1]}`)
  }

  async partitions(): Promise<readonly LogPartition[]> {
    await this.#topics.refresh()
    return [...samplePartitions(this.#topics, this.#config.topicPrefix).values()].map(({ topic, partition }) => ({
      topic,
      partition,
    }))
  }

  async join(group: string, handler: PartitionHandler): Promise<LogConsumer> {
    if (this.#isStopped) throw new Error('the log is stopping')
    const consumer = new KafkaLogConsumer(group, this.#config, { ...this.#consumerDeps, handler })
    this.#consumers.add(consumer)
    try {
      await consumer.start()
    } catch (error) {
      this.#consumers.delete(consumer)
      await consumer.leave()
      throw error
    }
    return {
      committed: (partition) => consumer.committed(partition),
      oldest: (partition) => consumer.oldest(partition),
      read: (request) => consumer.read(request),
      commit: (partition, position, mark) => consumer.commit(partition, position, mark),
      leave: async () => {
        await consumer.leave()
        this.#consumers.delete(consumer)
      },
    }
  }
}
