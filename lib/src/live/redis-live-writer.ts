/**
 * An aggregator's side of the live channel over Redis pub/sub. Nothing is stored in Redis, and nothing there is to be cleaned
 * up: what is watched is what somebody is subscribed to, asked about every second. When a query API dies, its
 * interest dies with its connection.
 *
 * Every aggregator sends what its partitions have and answers every question, with nothing if need be: whoever asks
 * counts the answers. Sending never waits; what Redis does not take in time, or what does not fit into the connection's
 * queue, is dropped and counted.
 */
import { randomUUID } from 'node:crypto'
import type { LiveMinute } from '@minutely/schema/query-wire'
import type { Clock } from '../clock.ts'
import type { Service } from '../lifecycle.ts'
import type { Logger } from '../logging.ts'
import { type RedisClient, RedisError } from '../redis/redis-client.ts'
import type { RedisSubscriber } from '../redis/redis-subscriber.ts'
import { keyOfServer, type LiveSource, type LiveWriter, type ServerKey } from './live-channel.ts'
import {
  askChannel,
  decodeMessage,
  encodeMessage,
  type LiveMessage,
  type LiveQuestion,
  minuteMessages,
  serverChannel,
  serverChannels,
  serverOfChannel,
} from './live-message.ts'
import type { LiveMetrics } from './live-metrics.ts'
import type { LiveConfig } from './live-settings.ts'

export interface RedisLiveDeps {
  /** Started and stopped by whoever made them. */
  readonly client: RedisClient
  readonly subscriber: RedisSubscriber
  readonly clock: Clock
  readonly log: Logger
  readonly metrics: LiveMetrics
}

const learnEveryMs = 1_000

export class RedisLiveWriter implements LiveWriter, Service {
  readonly name = 'redis-live-writer'
  readonly #id = randomUUID()
  readonly #config: LiveConfig
  readonly #deps: RedisLiveDeps
  readonly #stopping = new AbortController()
  #source: LiveSource | undefined
  #watched = new Map<string, ServerKey>()
  #unservedCount = 0
  #unsubscribe: () => void = () => {}
  #learning: Promise<void> = Promise.resolve()
  #round: Promise<void> | undefined

  constructor(config: LiveConfig, deps: RedisLiveDeps) {
    this.#config = config
    this.#deps = deps
  }

  async start(): Promise<void> {
    const { subscriber, client } = this.#deps
    const stopAsk = subscriber.subscribe(askChannel(this.#config.prefix), (bytes) => this.#answer(bytes))
    const stopReady = client.onReady(() => void this.#learnWatched())
    this.#unsubscribe = () => {
      stopAsk()
      stopReady()
    }
    this.#learning = this.#keepLearning()
  }

  async stop(): Promise<void> {
    this.#stopping.abort()
    this.#unsubscribe()
    await this.#learning
    await this.#round
  }

  connect(source: LiveSource | undefined): void {
    this.#source = source
  }

  get watchedCount(): number {
    return this.#watched.size
  }

  isWatched(server: ServerKey): boolean {
    return this.#watched.has(keyOfServer(server))
  }

  publish(server: ServerKey, minute: LiveMinute): void {
    const channel = serverChannel(this.#config.prefix, server)
    for (const bytes of this.#messages(minute, (part) => ({ kind: 'minute', minute: part }))) {
      this.#send(channel, bytes, 'minute')
    }
  }

  publishProvisional(): void {
    // One that takes longer than the time between two is an aggregator with more viewers than it can serve: it sends less often.
    this.#round ??= this.#publishRound()
      .catch((error: unknown) => this.#deps.log.warn({ err: error }, 'viewers were not told of the open minutes'))
      .finally(() => {
        this.#round = undefined
      })
  }

  async #publishRound(): Promise<void> {
    for (const server of this.#watched.values()) {
      if (this.#source === undefined || this.#stopping.signal.aborted) return
      for (const minute of this.#source.openMinutes(server)) this.publish(server, minute)
      // Folding goes first: a thousand watched servers are not looked through in one go.
      await new Promise((resolve) => setImmediate(resolve))
    }
  }

  async #keepLearning(): Promise<void> {
    while (!this.#stopping.signal.aborted) {
      await this.#learnWatched()
      await this.#deps.clock.sleep(learnEveryMs, this.#stopping.signal)
    }
  }

  async #learnWatched(): Promise<void> {
    const { prefix, watchedServersMax } = this.#config
    const { client, metrics, log } = this.#deps
    let channels: string[] = []
    try {
      channels = (await client.call('pubsub', ['channels', serverChannels(prefix)])) as string[]
    } catch (error) {
      // Nobody can be reached; the connection's own log and metrics tell it.
      if (!(error instanceof RedisError)) throw error
    }
    const watched = new Map<string, ServerKey>()
    for (const channel of channels) {
      if (watched.size >= watchedServersMax) break
      const server = serverOfChannel(prefix, channel)
      if (server !== undefined) watched.set(keyOfServer(server), server)
    }
    this.#watched = watched
    const unservedCount = Math.max(0, channels.length - watchedServersMax)
    if (unservedCount > 0 && this.#unservedCount === 0) {
      const message = 'more servers are watched than are sent live; raise MINUTELY_LIVE_WATCHED_SERVERS_MAX'
      log.warn({ watched: channels.length, watchedServersMax }, message)
    }
    this.#unservedCount = unservedCount
    metrics.watchedServers.set({ side: 'writer' }, watched.size)
    metrics.watchedServers.set({ side: 'unserved' }, unservedCount)
  }

  #answer(bytes: Buffer): void {
    const { metrics, log } = this.#deps
    const question = decodeMessage(bytes, this.#config.messageBytesMax)
    if (question?.kind !== 'question') {
      metrics.dropped.inc({ reason: 'unreadable' })
      return
    }
    metrics.messages.inc({ kind: 'question', direction: 'received' })
    try {
      this.#answerQuestion(question)
    } catch (error) {
      log.warn({ err: error, serverId: question.serverId }, 'a question for open minutes was not answered')
    }
  }

  #answerQuestion({ id, replyTo, tenantId, serverId }: LiveQuestion): void {
    const from = this.#id
    for (const minute of this.#source?.openMinutes({ tenantId, serverId }) ?? []) {
      const wrap = (part: LiveMinute): LiveMessage => ({ kind: 'answer', id, from, isLast: false, minute: part })
      for (const bytes of this.#messages(minute, wrap)) this.#send(replyTo, bytes, 'answer')
    }
    this.#send(replyTo, encodeMessage({ kind: 'answer', id, from, isLast: true }), 'answer')
  }

  #messages(minute: LiveMinute, wrap: (part: LiveMinute) => LiveMessage): Generator<Buffer> {
    const onTooLarge = (): void => this.#deps.metrics.dropped.inc({ reason: 'too-large' })
    return minuteMessages(minute, this.#config.messageBytesMax, { wrap, onTooLarge })
  }

  #send(channel: string, bytes: Buffer, kind: 'minute' | 'answer'): void {
    const { client, metrics } = this.#deps
    client.publish(channel, bytes).then(
      () => metrics.messages.inc({ kind, direction: 'sent' }),
      (error: unknown) => {
        if (!(error instanceof RedisError)) throw error
        metrics.dropped.inc({ reason: error.reason })
      },
    )
  }
}
