/**
 * A query API's side of the live channel over Redis pub/sub: a subscription per watched server, and questions for open minutes.
 *
 *   openMinutes ── PUBLISH <prefix>:ask ──> n aggregators (Redis says how many)
 *               <── n answers on <prefix>:reply:<this reader>, or as many as came within askTimeoutMs
 *
 * Who asks for a server of which a question is on its way gets that one's answer. That is as good as one of its own: all
 * a reader relies on is that an aggregator looked before Postgres was asked for the stored minutes.
 *
 * An aggregator that is there but silent (stopped, overloaded) would make every query wait: once one was missed, as many
 * fewer are waited for during silentMs. So would a Redis that hangs: it is not asked for as long. Without a connection
 * nothing waits at all. What is left out so is provisional.
 */
import { randomUUID } from 'node:crypto'
import type { LiveMinute } from '@minutely/schema/query-wire'
import type { Service } from '../lifecycle.ts'
import { RedisError } from '../redis/redis-client.ts'
import { keyOfServer, type LiveListener, type LiveReader, type ServerKey } from './live-channel.ts'
import {
  askChannel,
  decodeMessage,
  encodeMessage,
  type LiveAnswer,
  type LiveMessage,
  replyChannel,
  serverChannel,
} from './live-message.ts'
import type { LiveConfig } from './live-settings.ts'
import { mergeParts } from './merge-parts.ts'
import type { RedisLiveDeps } from './redis-live-writer.ts'

const silentMs = 5_000
/** Messages that the answers to one question may have; 500 series each. */
const partsMax = 1_000

interface Watched {
  readonly listeners: Set<LiveListener>
  readonly unsubscribe: () => void
}

interface Pending {
  readonly parts: LiveMinute[]
  readonly answered: Set<string>
  /** Aggregators that got the question; Infinity until Redis has said it. */
  receivers: number
  /** Of those, how many are waited for. */
  expected: number
  finish(result: 'answered' | 'partial' | 'failed'): void
}

export class RedisLiveReader implements LiveReader, Service {
  readonly name = 'redis-live-reader'
  readonly #config: LiveConfig
  readonly #deps: RedisLiveDeps
  readonly #replyTo: string
  readonly #watched = new Map<string, Watched>()
  readonly #asked = new Map<string, Promise<LiveMinute[]>>()
  readonly #pending = new Map<number, Pending>()
  #questionId = 0
  #silent = { count: 0, untilMs: 0 }
  #hangsUntilMs = 0
  #unsubscribe: () => void = () => {}

  constructor(config: LiveConfig, deps: RedisLiveDeps) {
    this.#config = config
    this.#deps = deps
    this.#replyTo = replyChannel(config.prefix, randomUUID())
  }

  async start(): Promise<void> {
    this.#unsubscribe = this.#deps.subscriber.subscribe(this.#replyTo, (bytes) => {
      const message = this.#read(bytes, 'answer')
      if (message?.kind === 'answer') this.#takeAnswer(message)
    })
  }

  async stop(): Promise<void> {
    this.#unsubscribe()
    for (const { unsubscribe } of this.#watched.values()) unsubscribe()
    this.#watched.clear()
    for (const pending of this.#pending.values()) pending.finish('failed')
  }

  get connectionId(): number | undefined {
    return this.#deps.subscriber.connectionId
  }

  /** No one aggregator owns every partition. */
  completeThroughMs(): number {
    return 0
  }

  watch(server: ServerKey, listener: LiveListener): () => void {
    const key = keyOfServer(server)
    const watched = this.#watched.get(key) ?? this.#subscribe(server)
    this.#watched.set(key, watched)
    // One of its own, so that who watches twice with the same function is two viewers.
    const viewer: LiveListener = (minute) => listener(minute)
    watched.listeners.add(viewer)
    this.#countWatched()
    return () => {
      watched.listeners.delete(viewer)
      if (watched.listeners.size > 0 || this.#watched.get(key) !== watched) return
      this.#watched.delete(key)
      watched.unsubscribe()
      this.#countWatched()
    }
  }

  openMinutes(server: ServerKey): Promise<LiveMinute[]> {
    const key = keyOfServer(server)
    const underWay = this.#asked.get(key)
    if (underWay !== undefined) return underWay
    const refusal = this.#refusal()
    if (refusal !== undefined) {
      this.#deps.metrics.questions.inc({ result: refusal })
      return Promise.resolve([])
    }
    const asked = this.#ask(server).finally(() => this.#asked.delete(key))
    this.#asked.set(key, asked)
    return asked
  }

  #refusal(): 'disconnected' | 'overloaded' | undefined {
    const { client, clock } = this.#deps
    if (client.runId === undefined || this.connectionId === undefined) return 'disconnected'
    if (clock.nowMs() < this.#hangsUntilMs) return 'disconnected'
    return this.#pending.size >= this.#config.questionsMax ? 'overloaded' : undefined
  }

  #ask({ tenantId, serverId }: ServerKey): Promise<LiveMinute[]> {
    const { prefix, askTimeoutMs: timeoutMs } = this.#config
    const { client, metrics, clock } = this.#deps
    const id = ++this.#questionId
    return new Promise((resolve, reject) => {
      const cancel = clock.schedule(timeoutMs, () => this.#giveUp(pending))
      const pending: Pending = {
        parts: [],
        answered: new Set(),
        receivers: Number.POSITIVE_INFINITY,
        expected: Number.POSITIVE_INFINITY,
        finish: (result) => {
          if (!this.#pending.delete(id)) return
          cancel()
          metrics.questions.inc({ result })
          metrics.questionsInFlight.set(this.#pending.size)
          resolve(mergeParts(pending.parts))
        },
      }
      this.#pending.set(id, pending)
      metrics.questionsInFlight.set(this.#pending.size)
      const question = encodeMessage({ kind: 'question', id, replyTo: this.#replyTo, tenantId, serverId })
      client.publish(askChannel(prefix), question).then(
        (receivers) => {
          metrics.messages.inc({ kind: 'question', direction: 'sent' })
          const silentCount = clock.nowMs() < this.#silent.untilMs ? this.#silent.count : 0
          pending.receivers = receivers
          pending.expected = Math.max(0, receivers - silentCount)
          this.#finishIfAnswered(pending)
        },
        (error: unknown) => {
          if (!(error instanceof RedisError)) return reject(error)
          metrics.dropped.inc({ reason: error.reason })
          pending.finish('failed')
        },
      )
    })
  }

  #takeAnswer({ id, from, isLast, minute }: LiveAnswer): void {
    const pending = this.#pending.get(id)
    if (pending === undefined) {
      this.#deps.metrics.dropped.inc({ reason: 'late' })
      return
    }
    if (minute !== undefined) {
      if (pending.parts.length < partsMax) pending.parts.push(minute)
      else this.#deps.metrics.dropped.inc({ reason: 'too-large' })
    }
    if (!isLast) return
    pending.answered.add(from)
    this.#finishIfAnswered(pending)
  }

  #finishIfAnswered(pending: Pending): void {
    const { answered, expected, receivers } = pending
    if (answered.size < expected) return
    if (answered.size >= receivers) this.#silent = { count: 0, untilMs: 0 }
    pending.finish(answered.size >= receivers ? 'answered' : 'partial')
  }

  #giveUp(pending: Pending): void {
    const { answered, receivers } = pending
    const untilMs = this.#deps.clock.nowMs() + silentMs
    if (Number.isFinite(receivers)) {
      this.#silent = { count: receivers - answered.size, untilMs }
      pending.finish('partial')
    } else {
      this.#hangsUntilMs = untilMs
      pending.finish('failed')
    }
  }

  #subscribe(server: ServerKey): Watched {
    const listeners = new Set<LiveListener>()
    const unsubscribe = this.#deps.subscriber.subscribe(serverChannel(this.#config.prefix, server), (bytes) => {
      const message = this.#read(bytes, 'minute')
      if (message?.kind === 'minute') for (const listener of listeners) listener(message.minute)
    })
    return { listeners, unsubscribe }
  }

  #read(bytes: Buffer, kind: LiveMessage['kind']): LiveMessage | undefined {
    const { metrics } = this.#deps
    const message = decodeMessage(bytes, this.#config.messageBytesMax)
    if (message?.kind === kind) metrics.messages.inc({ kind, direction: 'received' })
    else metrics.dropped.inc({ reason: 'unreadable' })
    return message
  }

  #countWatched(): void {
    this.#deps.metrics.watchedServers.set({ side: 'reader' }, this.#watched.size)
  }
}
