/**
 * Which topics there are, who leads their partitions, and which topic a metric goes to. Topics are made here, before their
 * first record, never by the broker.
 *
 * A metric has a topic of its own when that exists or when there is room for it under topicsMax; otherwise it shares one. Other
 * processes fill the same room: who comes too late is redirected to the shared topic, and stays so in this process, also where
 * the route was remembered. Processes that create at the same instant may exceed topicsMax by a few.
 *
 * A topic missing in one answer may be a broker that lags behind; consumers keep it until it is missing for goneAfterMs, or at
 * once when its leader does not know it either (doubt). A doubted topic that is there after all may be a new one of the same name:
 * its `incarnation` grows, and consumers begin with it anew.
 */
import type { Clock } from '../clock.ts'
import type { Logger } from '../logging.ts'
import type { KafkaCluster, TopicPartition } from './kafka-cluster.ts'
import type { KafkaLogConfig } from './kafka-log-settings.ts'
import { isOwnTopic, isSampleTopic, metricOf, ownTopic, sharedTopic } from './topic-names.ts'
import { topicSpec } from './topic-spec.ts'

const goneAfterMs = 15_000
/** After creating: how soon and how long its leaders are looked for. */
const settleEveryMs = 50
const settleMs = 5_000
const startEveryMs = 500

export interface TopicRegistryDeps {
  readonly cluster: KafkaCluster
  readonly clock: Clock
  readonly log: Logger
  readonly onRedirected: () => void
}

export interface KnownTopic {
  readonly leaders: readonly number[]
  readonly incarnation: number
  /** Since when answers do not have it; 0 when the last one had it. */
  readonly missingSinceMs: number
}

export class TopicRegistry {
  readonly #config: KafkaLogConfig
  readonly #deps: TopicRegistryDeps
  readonly #topics = new Map<string, KnownTopic>()
  readonly #reserved = new Set<string>()
  /** Own topics for which there was no room in the end, and the shared ones in their place. */
  readonly #redirected = new Map<string, string>()
  readonly #doubted = new Set<string>()
  readonly #listeners = new Set<() => void>()
  readonly #stopping = new AbortController()
  /** Why topics could not be looked up the last time; null when they could. */
  problem: string | null = 'Kafka has not been asked yet'
  #ownCount = 0
  #refreshing: Promise<void> | undefined
  #next: Promise<void> | undefined
  #creating: Promise<unknown> = Promise.resolve()
  #polling: Promise<void> = Promise.resolve()

  constructor(config: KafkaLogConfig, deps: TopicRegistryDeps) {
    this.#config = config
    this.#deps = deps
  }

  get ownTopicCount(): number {
    return this.#ownCount
  }

  get topics(): ReadonlyMap<string, KnownTopic> {
    return this.#topics
  }

  async start(): Promise<void> {
    const { clock } = this.#deps
    const deadlineMs = clock.nowMs() + this.#config.connectTimeoutMs
    for (;;) {
      try {
        await this.refresh()
        break
      } catch (error) {
        if (clock.nowMs() >= deadlineMs || this.#stopping.signal.aborted) {
          const where = this.#config.brokers.join(', ')
          const message = `no Kafka broker of ${where} answered within ${this.#config.connectTimeoutMs} ms`
          throw new Error(`${message}: ${(error as Error).message}; check MINUTELY_KAFKA_BROKERS`, { cause: error })
        }
        await clock.sleep(startEveryMs, this.#stopping.signal)
      }
    }
    this.#polling = this.#poll()
  }

  async stop(): Promise<void> {
    this.#stopping.abort()
    await this.#polling
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  topicFor(metricId: string): string {
    const { topicPrefix, topicsMax, sharedTopicCount } = this.#config
    const own = ownTopic(topicPrefix, metricId)
    if (own === undefined) return sharedTopic(topicPrefix, metricId, sharedTopicCount)
    const redirected = this.#redirected.get(own)
    if (redirected !== undefined) return redirected
    if (this.#topics.has(own) || this.#reserved.has(own)) return own
    if (this.#ownCount + this.#reserved.size >= topicsMax) return sharedTopic(topicPrefix, metricId, sharedTopicCount)
    this.#reserved.add(own)
    return own
  }

  partitionCount(topic: string): number {
    return this.#topics.get(topic)?.leaders.length ?? this.#config.partitionCount
  }

  /** -1 when it is not known. */
  leaderOf({ topic, partition }: TopicPartition): number {
    return this.#topics.get(topic)?.leaders[partition] ?? -1
  }

  /** The leader does not know the partition: believe the next answer. */
  doubt(topic: string): void {
    this.#doubted.add(topic)
    this.refresh().catch(() => {})
  }

  /** With an answer that was asked for after this call. */
  refresh(): Promise<void> {
    if (this.#refreshing === undefined) {
      this.#refreshing = this.#ask().finally(() => {
        this.#refreshing = undefined
      })
      return this.#refreshing
    }
    this.#next ??= this.#refreshing
      .catch(() => {})
      .then(() => {
        this.#next = undefined
        return this.refresh()
      })
    return this.#next
  }

  /**
   * The topics that take the records of these: themselves, made if they were missing, or the shared ones they are redirected
   * to. What could not be made is absent; why is in `failures`.
   */
  async resolve(wanted: Iterable<string>): Promise<{ topics: Map<string, string>; failures: Map<string, string> }> {
    const names = [...new Set(wanted)]
    const isThere = (topic: string): boolean => this.#topics.get(topic)?.missingSinceMs === 0
    const target = (topic: string): string => this.#redirected.get(topic) ?? topic
    let failures = new Map<string, string>()
    if (!names.every((topic) => isThere(target(topic)))) {
      const creating = this.#creating.then(() => this.#create(names.filter((topic) => !isThere(target(topic)))))
      this.#creating = creating.catch(() => {})
      failures = await creating
    }
    const topics = new Map<string, string>()
    for (const topic of names) {
      if (isThere(target(topic))) topics.set(topic, target(topic))
      else if (!failures.has(topic)) failures.set(topic, failures.get(target(topic)) ?? 'LEADER_NOT_AVAILABLE')
    }
    return { topics, failures }
  }

  /** Makes a topic that is no topic of samples. */
  async ensure(topic: string, overrides: Partial<KafkaLogConfig>): Promise<void> {
    const failures = await this.#deps.cluster.createTopics([topicSpec(topic, { ...this.#config, ...overrides })])
    const code = failures.get(topic)
    if (code !== undefined && code !== 'TOPIC_ALREADY_EXISTS')
      throw new Error(`topic ${topic} was not created: ${code}`)
    await this.#settle([topic])
  }

  async #create(missing: readonly string[]): Promise<Map<string, string>> {
    if (missing.length === 0) return new Map()
    await this.refresh()
    const toMake = new Set<string>()
    for (const topic of missing) {
      if (this.#topics.get(topic)?.missingSinceMs === 0) continue
      toMake.add(this.#hasRoom(topic, toMake) ? topic : this.#redirect(topic))
    }
    const absent = [...toMake].filter((topic) => this.#topics.get(topic)?.missingSinceMs !== 0)
    if (absent.length === 0) return new Map()
    const failures = await this.#deps.cluster.createTopics(absent.map((topic) => topicSpec(topic, this.#config)))
    for (const [topic, code] of failures) if (code === 'TOPIC_ALREADY_EXISTS') failures.delete(topic)
    this.#deps.log.info({ topics: absent, failures: Object.fromEntries(failures) }, 'created topics')
    await this.#settle(absent.filter((topic) => !failures.has(topic)))
    return failures
  }

  #hasRoom(topic: string, toMake: ReadonlySet<string>): boolean {
    const { topicPrefix, topicsMax } = this.#config
    if (!isOwnTopic(topicPrefix, topic)) return true
    let count = this.#ownCount
    for (const other of toMake) if (isOwnTopic(topicPrefix, other) && !this.#topics.has(other)) count++
    return this.#topics.has(topic) || count < topicsMax
  }

  #redirect(topic: string): string {
    const { topicPrefix, topicsMax, sharedTopicCount } = this.#config
    const shared = sharedTopic(topicPrefix, metricOf(topicPrefix, topic), sharedTopicCount)
    this.#redirected.set(topic, shared)
    this.#reserved.delete(topic)
    this.#deps.onRedirected()
    this.#deps.log.warn({ topic, shared }, `there are ${topicsMax} topics already: a metric shares one instead`)
    return shared
  }

  /** A broker may know a topic of the controller's only a little later. */
  async #settle(topics: readonly string[]): Promise<void> {
    const { clock } = this.#deps
    const deadlineMs = clock.nowMs() + settleMs
    const isSettled = (topic: string): boolean => {
      const known = this.#topics.get(topic)
      return known?.missingSinceMs === 0 && known.leaders.every((leader) => leader >= 0)
    }
    for (;;) {
      await this.refresh()
      if (topics.every(isSettled) || clock.nowMs() >= deadlineMs || this.#stopping.signal.aborted) return
      await clock.sleep(settleEveryMs, this.#stopping.signal)
    }
  }

  async #poll(): Promise<void> {
    const { signal } = this.#stopping
    for (;;) {
      await this.#deps.clock.sleep(this.#config.metadataEveryMs, signal)
      if (signal.aborted) return
      await this.refresh().catch((error) =>
        this.#deps.log.warn({ err: error }, 'looking up topics failed; trying again'),
      )
    }
  }

  async #ask(): Promise<void> {
    const doubted = new Set(this.#doubted)
    const answer = await this.#deps.cluster.topics().catch((error: Error) => {
      this.problem = `Kafka does not answer: ${error.message}`
      throw error
    })
    this.problem = null
    const nowMs = this.#deps.clock.nowMs()
    const { topicPrefix } = this.#config
    for (const [topic, leaders] of answer) {
      if (!topic.startsWith(`${topicPrefix}.`)) continue
      const known = this.#topics.get(topic)
      const incarnation = (known?.incarnation ?? 0) + (known !== undefined && doubted.has(topic) ? 1 : 0)
      this.#topics.set(topic, { leaders, incarnation, missingSinceMs: 0 })
      this.#reserved.delete(topic)
    }
    for (const [topic, known] of this.#topics) {
      if (answer.has(topic)) continue
      const missingSinceMs = known.missingSinceMs === 0 ? nowMs : known.missingSinceMs
      if (doubted.has(topic) || nowMs - missingSinceMs >= goneAfterMs) this.#topics.delete(topic)
      else this.#topics.set(topic, { ...known, missingSinceMs })
    }
    for (const topic of doubted) this.#doubted.delete(topic)
    this.#ownCount = [...this.#topics.keys()].filter((topic) => isOwnTopic(topicPrefix, topic)).length
    for (const listener of this.#listeners) listener()
  }
}

/** The partitions that consumers read, with the incarnation of their topic. */
export function samplePartitions(
  registry: TopicRegistry,
  prefix: string,
): Map<string, TopicPartition & { incarnation: number }> {
  const partitions = new Map<string, TopicPartition & { incarnation: number }>()
  for (const [topic, { leaders, incarnation }] of registry.topics) {
    if (!isSampleTopic(prefix, topic)) continue
    for (const partition of leaders.keys()) {
      partitions.set(`${topic}/${partition}`, { topic, partition, incarnation })
    }
  }
  return partitions
}
