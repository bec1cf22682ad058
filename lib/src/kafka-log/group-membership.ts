/**
 * Membership of one process in one consumer group, which shares out shards, not partitions: new topics need no rebalance.
 * Spoken directly to the group's coordinator, on a link of its own.
 *
 *   find coordinator ──> join (waits for all members) ──> the leader shares out ──> sync ──> heartbeats
 *          ^  ^                ^                                                               │
 *          │  └── failed, wait ┘ <──────────── the group changes: join again, go on reading ───┤
 *          └───────────────── expired or unknown: all shards are lost at once <────────────────┘
 *
 * Reading never stops for a rebalance: shards stay until the next assignment says otherwise. When nothing was heard of the
 * coordinator for a session, the shards are given up, whatever the loop is doing (the watchdog), since others have them by then.
 * For a moment two members may own a shard; what they store is merged, so that costs work, not truth.
 */
import { randomUUID } from 'node:crypto'
import type { Clock } from '../clock.ts'
import type { Logger } from '../logging.ts'
import {
  decodeAssignment,
  encodeAssignment,
  encodeSubscription,
  protocolName,
  type ShardAssignment,
} from './group-protocol.ts'
import { type KafkaCluster, throwIfFailed } from './kafka-cluster.ts'
import type { KafkaLogConfig } from './kafka-log-settings.ts'
import { type BrokerAddress, KafkaError, type Link } from './kafka-wire.ts'
import { assignShards } from './shard-assigner.ts'

const retryMsMin = 200
const retryMsMax = 2_000
/** Beyond the rebalance timeout, by which the broker must have answered a join. */
const joinGraceMs = 5_000
const leaveTimeoutMs = 2_000
const memberIdRequired = 79

export interface MembershipDeps {
  readonly cluster: KafkaCluster
  readonly clock: Clock
  readonly log: Logger
  /** The shards this member has now; undefined when it has lost its membership. */
  readonly onAssigned: (assignment: ShardAssignment | undefined) => void
}

/** What a commit must carry to be taken. */
export interface Generation {
  readonly coordinator: BrokerAddress
  readonly groupId: string
  readonly groupGenerationId: number
  readonly memberId: string
}

export class GroupMembership {
  readonly groupId: string
  readonly #config: KafkaLogConfig
  readonly #deps: MembershipDeps
  readonly #stopping = new AbortController()
  readonly #joined = Promise.withResolvers<void>()
  /** Two members of a group in one process must not wait for each other. */
  readonly #purpose: string
  #memberId = ''
  #coordinator: BrokerAddress | undefined
  #generation: Generation | undefined
  /** When the coordinator was last asked something that it answered; Infinity while it holds back a join. */
  #heardMs = 0
  #running: Promise<void> = Promise.resolve()
  #cancelWatchdog: () => void = () => {}

  constructor(groupId: string, config: KafkaLogConfig, deps: MembershipDeps) {
    this.groupId = groupId
    this.#purpose = `group ${groupId} ${randomUUID()}`
    this.#config = config
    this.#deps = deps
  }

  /** Undefined while it is no member. */
  get generation(): Generation | undefined {
    return this.#generation
  }

  /** Resolves when it is a member for the first time; rejects when it is left before. */
  start(): Promise<void> {
    this.#joined.promise.catch(() => {})
    this.#running = this.#run()
    this.#watch()
    return this.#joined.promise
  }

  /** Others get the shards at once. */
  async leave(): Promise<void> {
    if (this.#stopping.signal.aborted) return this.#running
    this.#stopping.abort()
    this.#cancelWatchdog()
    this.#joined.reject(new Error(`the group ${this.groupId} was left before it was joined`))
    const coordinator = this.#coordinator
    if (coordinator !== undefined) this.#deps.cluster.wire.drop(this.#link(coordinator))
    await this.#running
    if (coordinator !== undefined && this.#memberId !== '') await this.#sayGoodbye(coordinator)
    this.#lose('left')
  }

  async #run(): Promise<void> {
    const { clock, log } = this.#deps
    const { signal } = this.#stopping
    let failures = 0
    while (!signal.aborted) {
      try {
        await this.#join()
        failures = 0
        await this.#heartbeats()
      } catch (error) {
        if (signal.aborted) return
        const code = error instanceof KafkaError ? error.code : 'BAD_ANSWER'
        if (code === 'REBALANCE_IN_PROGRESS') continue
        if (code === 'UNKNOWN_MEMBER_ID' || code === 'ILLEGAL_GENERATION' || code === 'FENCED_INSTANCE_ID') {
          const wasKnown = this.#memberId !== ''
          if (code !== 'ILLEGAL_GENERATION') this.#memberId = ''
          this.#lose(code)
          if (wasKnown && failures++ < 3) continue
        } else {
          this.#coordinator = undefined
          failures++
        }
        const waitMs = Math.min(retryMsMax, retryMsMin * 2 ** Math.min(failures, 10))
        log.warn({ err: error, group: this.groupId }, `membership of a group failed; trying again in ${waitMs} ms`)
        await clock.sleep(waitMs, signal)
      }
    }
  }

  async #join(): Promise<void> {
    const { cluster, clock, log } = this.#deps
    const { sessionTimeoutMs, rebalanceTimeoutMs } = this.#config
    this.#coordinator ??= await cluster.coordinator(this.groupId)
    const group = { groupId: this.groupId, sessionTimeout: sessionTimeoutMs, rebalanceTimeout: rebalanceTimeoutMs }
    const protocols = [{ name: protocolName, metadata: encodeSubscription() }]
    const request = { ...group, protocolType: 'consumer', groupProtocols: protocols }
    // The session rests while a join is held back; if it fails, time counts from its beginning.
    const askedMs = clock.nowMs()
    this.#heardMs = Number.POSITIVE_INFINITY
    let joined: JoinAnswer
    try {
      joined = (await this.#ask('JoinGroup', { ...request, memberId: this.#memberId }, this.#joinMs)) as JoinAnswer
      if (joined.errorCode === memberIdRequired) {
        this.#memberId = joined.memberId
        joined = (await this.#ask('JoinGroup', { ...request, memberId: this.#memberId }, this.#joinMs)) as JoinAnswer
      }
      throwIfFailed(joined.errorCode, `joining the group ${this.groupId}`)
    } finally {
      this.#heardMs = this.#generation === undefined ? clock.nowMs() : askedMs
    }
    this.#heardMs = clock.nowMs()
    this.#memberId = joined.memberId
    const assignment = await this.#sync(joined)
    this.#generation = {
      coordinator: this.#coordinator,
      groupId: this.groupId,
      groupGenerationId: joined.generationId,
      memberId: joined.memberId,
    }
    const { generationId } = joined
    log.info({ group: this.groupId, generationId, shards: assignment.shards.length }, 'joined a group')
    this.#deps.onAssigned(assignment)
    this.#joined.resolve()
  }

  async #sync({ generationId, memberId, leaderId, members }: JoinAnswer): Promise<ShardAssignment> {
    const { shardCount } = this.#config
    const groupAssignment =
      leaderId !== memberId
        ? []
        : [
            ...assignShards(
              members.map((member) => member.memberId),
              shardCount,
            ),
          ].map(([member, shards]) => ({
            memberId: member,
            memberAssignment: encodeAssignment({ shardCount, shards }),
          }))
    const request = { groupId: this.groupId, generationId, memberId, groupAssignment }
    const answer = (await this.#ask('SyncGroup', request, this.#joinMs)) as SyncAnswer
    throwIfFailed(answer.errorCode, `sharing out the group ${this.groupId}`)
    this.#heardMs = this.#deps.clock.nowMs()
    return decodeAssignment(answer.memberAssignment)
  }

  /** Until the group changes, the membership is lost or the coordinator fails, which throws; or until it is left. */
  async #heartbeats(): Promise<void> {
    const { clock } = this.#deps
    const { signal } = this.#stopping
    const timeoutMs = Math.min(this.#config.requestTimeoutMs, this.#config.sessionTimeoutMs / 2)
    for (;;) {
      await clock.sleep(this.#config.heartbeatMs, signal)
      const generation = this.#generation
      if (signal.aborted || generation === undefined) return
      const { groupId, groupGenerationId, memberId } = generation
      const askedMs = clock.nowMs()
      const answer = await this.#ask(
        'Heartbeat',
        { groupId, groupGenerationId, memberId, groupInstanceId: null },
        timeoutMs,
      )
      throwIfFailed((answer as { errorCode: number }).errorCode, `a heartbeat of the group ${groupId}`)
      this.#heardMs = askedMs
    }
  }

  /** Looks whether the session has run out unnoticed: a coordinator that hangs, a process that stood still. */
  #watch(): void {
    const { clock } = this.#deps
    this.#cancelWatchdog = clock.schedule(this.#config.sessionTimeoutMs / 4, () => {
      if (this.#generation !== undefined && clock.nowMs() - this.#heardMs > this.#config.sessionTimeoutMs) {
        this.#lose(`nothing was heard of the coordinator for ${this.#config.sessionTimeoutMs} ms`)
      }
      if (!this.#stopping.signal.aborted) this.#watch()
    })
  }

  #lose(reason: string): void {
    if (this.#generation === undefined) return
    this.#generation = undefined
    if (reason !== 'left') this.#deps.log.error({ group: this.groupId, reason }, 'lost all partitions of a group')
    this.#deps.onAssigned(undefined)
  }

  async #sayGoodbye(coordinator: BrokerAddress): Promise<void> {
    const { wire } = this.#deps.cluster
    const { groupId } = this
    const memberId = this.#memberId
    const request = { groupId, memberId }
    try {
      await wire.request(this.#link(coordinator), 'LeaveGroup', request, leaveTimeoutMs)
    } catch (error) {
      const message = 'leaving a group failed; its partitions wait for the session to end'
      this.#deps.log.warn({ err: error, group: groupId }, message)
    }
    wire.drop(this.#link(coordinator))
  }

  #ask(api: 'JoinGroup' | 'SyncGroup' | 'Heartbeat', request: object, timeoutMs: number): Promise<unknown> {
    const coordinator = this.#coordinator
    if (coordinator === undefined) throw new KafkaError('CONNECTION', `the group ${this.groupId} has no coordinator`)
    return this.#deps.cluster.wire.request(this.#link(coordinator), api, request, timeoutMs)
  }

  get #joinMs(): number {
    return this.#config.rebalanceTimeoutMs + joinGraceMs
  }

  #link(coordinator: BrokerAddress): Link {
    return { host: coordinator.host, port: coordinator.port, purpose: this.#purpose }
  }
}

interface JoinAnswer {
  readonly errorCode: number
  readonly generationId: number
  readonly leaderId: string
  readonly memberId: string
  readonly members: readonly { readonly memberId: string }[]
}

interface SyncAnswer {
  readonly errorCode: number
  readonly memberAssignment: Buffer
}
