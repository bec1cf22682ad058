/**
 * The positions of a group: what it committed, where its partitions begin, and commits, each gathered into few requests. A
 * position is kept by the group's coordinator; a commit carries the generation, so that one of a member that was replaced is
 * refused. Topics that are deleted take their positions with them.
 */
import type { Clock } from '../clock.ts'
import type { LogCommit } from '../sample-log/sample-log.ts'
import { Gatherer } from './gatherer.ts'
import type { Generation } from './group-membership.ts'
import {
  type KafkaCluster,
  keyOf,
  type Outcome,
  type Outcomes,
  outcomesOf,
  type TopicPartition,
  throwIfFailed,
} from './kafka-cluster.ts'
import type { KafkaLogConfig } from './kafka-log-settings.ts'
import { KafkaError, type Link } from './kafka-wire.ts'
import { byTopic } from './log-requests.ts'
import type { TopicRegistry } from './topic-registry.ts'

const attemptsMax = 5
const retryMs = 200

export interface GroupOffsetsDeps {
  readonly clock: Clock
  readonly cluster: KafkaCluster
  readonly registry: TopicRegistry
  readonly generation: () => Generation | undefined
}

type Commit = TopicPartition & LogCommit

export class GroupOffsets {
  readonly #groupId: string
  readonly #config: KafkaLogConfig
  readonly #deps: GroupOffsetsDeps
  readonly #commits: Gatherer<Commit, void>
  readonly #committed: Gatherer<TopicPartition, LogCommit | undefined>
  readonly #oldest: Gatherer<TopicPartition, number>

  constructor(groupId: string, config: KafkaLogConfig, deps: GroupOffsetsDeps) {
    this.#groupId = groupId
    this.#config = config
    this.#deps = deps
    this.#commits = new Gatherer((commits) => this.#commitAll([...commits.values()]))
    this.#committed = new Gatherer((partitions) => this.#committedOf([...partitions.values()]))
    this.#oldest = new Gatherer((partitions) => this.#oldestOf([...partitions.values()]))
  }

  async commit(partition: TopicPartition, commit: LogCommit): Promise<void> {
    const { topic, partition: number } = partition
    await this.#commits.ask(keyOf(partition), { topic, partition: number, ...commit })
  }

  /** The oldest position when nothing was committed. */
  async committed(partition: TopicPartition): Promise<LogCommit> {
    return (await this.#committed.ask(keyOf(partition), partition)) ?? { position: await this.oldest(partition) }
  }

  oldest(partition: TopicPartition): Promise<number> {
    return this.#oldest.ask(keyOf(partition), partition)
  }

  async #commitAll(commits: readonly Commit[]): Promise<Map<string, () => void>> {
    const generation = this.#deps.generation()
    if (generation === undefined) {
      throw new KafkaError('UNKNOWN_MEMBER_ID', `this process is no member of ${this.#groupId} now and may not commit`)
    }
    const { groupId, groupGenerationId, memberId } = generation
    const topics = [...byTopic(commits)].map(([topic, ofTopic]) => ({
      topic,
      partitions: ofTopic.map(({ partition, position, mark }) => ({
        partition,
        offset: position,
        metadata: mark ?? null,
      })),
    }))
    const request = { groupId, groupGenerationId, memberId, topics }
    const answer = await this.#ask(generation.coordinator, 'OffsetCommit', request)
    return answersOf(
      outcomesOf(answer.responses, () => undefined),
      `committing in ${groupId}`,
    )
  }

  async #committedOf(partitions: readonly TopicPartition[]): Promise<Map<string, () => LogCommit | undefined>> {
    const coordinator = this.#deps.generation()?.coordinator ?? (await this.#deps.cluster.coordinator(this.#groupId))
    const topics = [...byTopic(partitions)].map(([topic, ofTopic]) => ({
      topic,
      partitions: ofTopic.map(({ partition }) => ({ partition })),
    }))
    const answer = await this.#ask(coordinator, 'OffsetFetch', { groupId: this.#groupId, topics })
    const what = `asking for the positions of ${this.#groupId}`
    throwIfFailed(answer.errorCode ?? 0, what)
    const outcomes = outcomesOf(answer.responses, ({ offset, metadata }): LogCommit | undefined =>
      Number(offset) < 0 ? undefined : { position: Number(offset), mark: metadata || undefined },
    )
    return answersOf(outcomes, what)
  }

  /** A leader that is not known, or not yet or no longer one, is looked up anew a few times. */
  async #oldestOf(partitions: readonly TopicPartition[]): Promise<Map<string, () => number>> {
    const { registry, clock } = this.#deps
    const outcomes: Outcomes<number> = new Map()
    let left = partitions
    for (let attempt = 0; ; attempt++) {
      for (const [key, outcome] of await this.#listOldest(left)) outcomes.set(key, outcome)
      left = partitions.filter((partition) => 'code' in (outcomes.get(keyOf(partition)) ?? { code: '' }))
      if (left.length === 0 || attempt >= attemptsMax) return answersOf(outcomes, 'asking for the oldest position')
      await clock.sleep(retryMs)
      await registry.refresh().catch(() => {})
    }
  }

  async #listOldest(partitions: readonly TopicPartition[]): Promise<Outcomes<number>> {
    const { cluster, registry } = this.#deps
    const outcomes: Outcomes<number> = new Map()
    const ask = async (leader: number, ofLeader: readonly TopicPartition[]): Promise<void> => {
      const answers =
        leader < 0
          ? refused(ofLeader, 'LEADER_NOT_AVAILABLE')
          : await cluster
              .listOffsets(leader, ofLeader, 'oldest')
              .catch((error: KafkaError) => refused(ofLeader, error.code))
      for (const [key, outcome] of answers) outcomes.set(key, outcome)
    }
    const perLeader = Map.groupBy(partitions, (partition) => registry.leaderOf(partition))
    await Promise.all([...perLeader].map(([leader, ofLeader]) => ask(leader, ofLeader)))
    return outcomes
  }

  async #ask(
    coordinator: Omit<Link, 'purpose'>,
    api: 'OffsetCommit' | 'OffsetFetch',
    request: object,
  ): Promise<OffsetsAnswer> {
    const { host, port } = coordinator
    const { wire } = this.#deps.cluster
    const link = { host, port, purpose: `positions ${this.#groupId}` }
    return (await wire.request(link, api, request, this.#config.requestTimeoutMs)) as OffsetsAnswer
  }
}

interface OffsetsAnswer {
  readonly errorCode?: number
  readonly responses: readonly {
    topic: string
    partitions: readonly { partition: number; errorCode: number; offset: string; metadata?: string | null }[]
  }[]
}

function refused(partitions: readonly TopicPartition[], code: string): Outcomes<number> {
  return new Map(partitions.map((partition) => [keyOf(partition), { code }]))
}

function answersOf<T>(outcomes: Outcomes<T>, what: string): Map<string, () => T> {
  const answerOf = (key: string, outcome: Outcome<T>) => (): T => {
    if ('value' in outcome) return outcome.value
    throw new KafkaError(outcome.code, `${what} was refused for ${key}: ${outcome.code}`)
  }
  return new Map([...outcomes].map(([key, outcome]) => [key, answerOf(key, outcome)]))
}
