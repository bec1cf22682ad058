/**
 * What we ask a Kafka cluster, beside appends and fetches: typed, in bulk, with the errors of parts kept apart. Who leads what
 * is looked up by the caller (topic-registry.ts); this file only remembers the brokers' addresses.
 */
import type { Clock } from '../clock.ts'
import type { Logger } from '../logging.ts'
import type { KafkaLogConfig } from './kafka-log-settings.ts'
import { type BrokerAddress, errorName, KafkaError, KafkaWire, type Link } from './kafka-wire.ts'
import {
  byTopic,
  decodeFetched,
  decodeProduced,
  encodeFetch,
  encodeProduce,
  type FetchAnswer,
  type FetchLimits,
  type FetchRequest,
  fetchApi,
  type ProducedPart,
  type ProducePart,
  produceApi,
} from './log-requests.ts'

export interface TopicPartition {
  readonly topic: string
  readonly partition: number
}

export interface TopicSpec {
  readonly topic: string
  readonly numPartitions: number
  readonly replicationFactor: number
  readonly configEntries: readonly { readonly name: string; readonly value: string }[]
}

/** The outcome for one part of a request: `code` is Kafka's name of an error. */
export type Outcome<T> = { readonly value: T } | { readonly code: string }
export type Outcomes<T> = Map<string, Outcome<T>>

export function keyOf({ topic, partition }: TopicPartition): string {
  return `${topic}/${partition}`
}

interface MetadataAnswer {
  readonly brokers: readonly { nodeId: number; host: string; port: number }[]
  readonly controllerId: number
  readonly topicMetadata: readonly {
    topic: string
    topicErrorCode: number
    partitionMetadata: readonly { partitionId: number; leader: number }[]
  }[]
}

export class KafkaCluster {
  readonly wire: KafkaWire
  readonly #config: KafkaLogConfig
  readonly #seeds: readonly BrokerAddress[]
  #nodes: ReadonlyMap<number, BrokerAddress> = new Map()
  #controllerId = -1
  #turn = 0

  constructor(config: KafkaLogConfig, deps: { clock: Clock; log: Logger }) {
    this.#config = config
    this.wire = new KafkaWire(config, deps)
    this.#seeds = config.brokers.map((address) => {
      const [host = '', port] = address.split(':')
      return { host, port: Number(port) }
    })
  }

  /** All topics: the leader's node id of each partition, -1 while there is none. */
  async topics(): Promise<Map<string, readonly number[]>> {
    const answer = (await this.#askAny('Metadata', { topics: [], allowAutoTopicCreation: false })) as MetadataAnswer
    this.#nodes = new Map(answer.brokers.map(({ nodeId, host, port }) => [nodeId, { host, port }]))
    this.#controllerId = answer.controllerId
    const topics = new Map<string, readonly number[]>()
    for (const { topic, topicErrorCode, partitionMetadata } of answer.topicMetadata) {
      if (topicErrorCode !== 0 && partitionMetadata.length === 0) continue
      const leaders: number[] = []
      for (const { partitionId, leader } of partitionMetadata) leaders[partitionId] = leader
      topics.set(
        topic,
        Array.from(leaders, (leader) => leader ?? -1),
      )
    }
    return topics
  }

  async produce(nodeId: number, parts: readonly ProducePart[], timeoutMs: number): Promise<ProducedPart[]> {
    const body = encodeProduce(parts, timeoutMs)
    return decodeProduced(await this.wire.raw(this.#link(nodeId, 'produce'), { ...produceApi, body }, timeoutMs))
  }

  async fetch(nodeId: number, request: FetchRequest, limits: FetchLimits): Promise<FetchAnswer> {
    const body = encodeFetch(request, limits)
    const timeoutMs = limits.waitMs + this.#config.requestTimeoutMs
    const bytes = await this.wire.raw(this.#link(nodeId, 'fetch'), { ...fetchApi, body }, timeoutMs)
    const answer = decodeFetched(bytes)
    throwIfFailed(answer.errorCode, 'a fetch')
    return answer
  }

  /** The oldest or the next position of partitions that one broker leads. */
  async listOffsets(
    nodeId: number,
    parts: readonly TopicPartition[],
    which: 'oldest' | 'next',
  ): Promise<Outcomes<number>> {
    const timestamp = which === 'oldest' ? -2 : -1
    const topics = [...byTopic(parts)].map(([topic, ofTopic]) => ({
      topic,
      partitions: ofTopic.map(({ partition }) => ({ partition, timestamp })),
    }))
    const request = { replicaId: -1, isolationLevel: 0, topics }
    const answer = await this.wire.request(this.#link(nodeId, 'ask'), 'ListOffsets', request, this.#timeoutMs)
    return outcomesOf((answer as TopicsAnswer).responses, ({ offset }) => Number(offset))
  }

  /** @returns for each topic the name of its error, if it was not created. */
  async createTopics(topics: readonly TopicSpec[]): Promise<Map<string, string>> {
    const timeout = this.#timeoutMs
    const answer = await this.#askController('CreateTopics', { topics, timeout, validateOnly: false })
    return failuresOf(answer as TopicErrorsAnswer)
  }

  async deleteTopics(topics: readonly string[]): Promise<Map<string, string>> {
    const answer = await this.#askController('DeleteTopics', { topics, timeout: this.#timeoutMs })
    return failuresOf(answer as TopicErrorsAnswer)
  }

  /** Forgets the records before `offset`. */
  async deleteRecords(
    nodeId: number,
    { topic, partition, offset }: TopicPartition & { offset: number },
  ): Promise<void> {
    const topics = [{ topic, partitions: [{ partition, offset }] }]
    const request = { topics, timeout: this.#timeoutMs }
    const answer = await this.wire.request(this.#link(nodeId, 'ask'), 'DeleteRecords', request, this.#timeoutMs)
    const [part] = (answer as { topics: { partitions: { errorCode: number }[] }[] }).topics[0]?.partitions ?? []
    throwIfFailed(part?.errorCode ?? 0, `deleting records of ${topic}/${partition}`)
  }

  async coordinator(group: string): Promise<BrokerAddress> {
    const answer = await this.#askAny('GroupCoordinator', { groupId: group })
    const { errorCode, coordinator } = answer as { errorCode: number; coordinator: BrokerAddress }
    throwIfFailed(errorCode, `finding the coordinator of ${group}`)
    return coordinator
  }

  #link(nodeId: number, purpose: string): Link {
    const address = this.#nodes.get(nodeId)
    if (address === undefined) throw new KafkaError('CONNECTION', `no address is known of the broker ${nodeId}`)
    return { ...address, purpose }
  }

  get #timeoutMs(): number {
    return this.#config.requestTimeoutMs
  }

  async #askController(api: 'CreateTopics' | 'DeleteTopics', request: object): Promise<unknown> {
    const timeoutMs = 2 * this.#timeoutMs
    return this.wire.request(this.#link(this.#controllerId, 'administer'), api, request, timeoutMs)
  }

  /** Of the known brokers one after the other, then of those in the settings; a turn begins where the last one ended. */
  async #askAny(api: 'Metadata' | 'GroupCoordinator', request: object): Promise<unknown> {
    const addresses = uniqueAddresses([...this.#nodes.values(), ...this.#seeds])
    let failure: unknown
    for (let tried = 0; tried < addresses.length; tried++) {
      const address = addresses[this.#turn % addresses.length] as BrokerAddress
      try {
        return await this.wire.request({ ...address, purpose: 'ask' }, api, request, this.#timeoutMs)
      } catch (error) {
        failure = error
        this.#turn++
      }
    }
    throw failure
  }
}

interface TopicsAnswer {
  readonly responses: readonly {
    topic: string
    partitions: readonly { partition: number; errorCode: number; offset: string }[]
  }[]
}

interface TopicErrorsAnswer {
  readonly topicErrors: readonly { topic: string; errorCode: number }[]
}

export function outcomesOf<P extends { partition: number; errorCode: number }, T>(
  topics: readonly { topic: string; partitions: readonly P[] }[],
  read: (part: P) => T,
): Outcomes<T> {
  const outcomes: Outcomes<T> = new Map()
  for (const { topic, partitions } of topics) {
    for (const part of partitions) {
      const code = errorName(part.errorCode)
      outcomes.set(keyOf({ topic, partition: part.partition }), code === undefined ? { value: read(part) } : { code })
    }
  }
  return outcomes
}

function failuresOf({ topicErrors }: TopicErrorsAnswer): Map<string, string> {
  const failures = new Map<string, string>()
  for (const { topic, errorCode } of topicErrors) {
    const code = errorName(errorCode)
    if (code !== undefined) failures.set(topic, code)
  }
  return failures
}

export function throwIfFailed(errorCode: number, what: string): void {
  const code = errorName(errorCode)
  if (code !== undefined) throw new KafkaError(code, `${what} was refused: ${code}`)
}

function uniqueAddresses(addresses: readonly BrokerAddress[]): BrokerAddress[] {
  return [...new Map(addresses.map((address) => [`${address.host}:${address.port}`, address])).values()]
}
