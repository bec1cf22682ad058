/**
 * A connection to Redis for subscriptions. They outlive connections: after a reconnect they are made again, and onReady
 * tells that. What was published meanwhile is lost.
 */
import type { Service } from '../lifecycle.ts'
import {
  type RedisConnection,
  type RedisDeps,
  redisConnection,
  silenceMsMax,
  watchConnection,
} from './redis-connection.ts'
import type { RedisConfig } from './redis-settings.ts'

export type ChannelListener = (message: Buffer) => void

export interface RedisSubscriber extends Service {
  readonly isConnected: boolean
  /** Undefined unless all channels are subscribed; another number after each loss of the connection. */
  readonly connectionId: number | undefined
  /** @returns what ends it. */
  subscribe(channel: string, listener: ChannelListener): () => void
  /** Calls back whenever all channels are subscribed (again): from now on nothing is missed. @returns what ends that. */
  onReady(listener: () => void): () => void
}

/** `name`: of the connection, in CLIENT LIST, log lines and metrics. */
export function createRedisSubscriber(config: RedisConfig, name: string, deps: RedisDeps): RedisSubscriber {
  return new IoredisSubscriber(config, name, deps)
}

class IoredisSubscriber implements RedisSubscriber {
  readonly name: string
  isConnected = false
  connectionId: number | undefined
  #connectionCount = 0
  readonly #redis: RedisConnection
  readonly #deps: RedisDeps
  readonly #channels = new Map<string, Set<ChannelListener>>()
  readonly #listeners = new Set<() => void>()
  readonly #connected: (detail: object) => void
  #cancelPing: () => void = () => {}

  constructor(config: RedisConfig, name: string, deps: RedisDeps) {
    this.name = `redis-${name}`
    this.#deps = deps
    this.#redis = redisConnection(config, name)
    this.#connected = watchConnection(this.#redis, this.name, deps)
    this.#redis.on('close', () => {
      this.isConnected = false
      this.connectionId = undefined
      this.#cancelPing()
    })
    this.#redis.on('ready', () => void this.#resubscribe())
    this.#redis.on('messageBuffer', (channel: Buffer, message: Buffer) => {
      for (const listener of this.#channels.get(channel.toString()) ?? []) listener(message)
    })
  }

  async start(): Promise<void> {
    void this.#redis.connect().catch(() => {})
  }

  async stop(): Promise<void> {
    this.#cancelPing()
    this.#redis.disconnect()
  }

  subscribe(channel: string, listener: ChannelListener): () => void {
    const listeners = this.#channels.get(channel) ?? new Set()
    // One of its own, so that who subscribes twice with the same function gets every message twice.
    const subscription: ChannelListener = (message) => listener(message)
    this.#channels.set(channel, listeners.add(subscription))
    if (listeners.size === 1) this.#send('subscribe', channel)
    return () => {
      listeners.delete(subscription)
      if (listeners.size > 0 || this.#channels.get(channel) !== listeners) return
      this.#channels.delete(channel)
      this.#send('unsubscribe', channel)
    }
  }

  onReady(listener: () => void): () => void {
    this.#listeners.add(listener)
    if (this.isConnected) listener()
    return () => this.#listeners.delete(listener)
  }

  /** What fails is made up for when the connection is there again. */
  #send(command: 'subscribe' | 'unsubscribe', channel: string): void {
    if (this.isConnected) this.#redis[command](channel).catch(() => this.#redis.disconnect(true))
  }

  async #resubscribe(): Promise<void> {
    try {
      const channels = [...this.#channels.keys()]
      // From here on new channels are subscribed as they come.
      this.isConnected = true
      if (channels.length > 0) await this.#redis.subscribe(...channels)
      if (!this.isConnected) return
      this.connectionId = ++this.#connectionCount
      this.#connected({ channels: channels.length })
      this.#pingLater()
      for (const listener of this.#listeners) listener()
    } catch (error) {
      this.#redis.emit('error', error)
      this.#redis.disconnect(true)
    }
  }

  /** Where nothing is published for long, only an unanswered question shows that a connection is dead. */
  #pingLater(): void {
    this.#cancelPing = this.#deps.clock.schedule(silenceMsMax, () => {
      this.#redis.ping().catch(() => this.#redis.disconnect(true))
      this.#pingLater()
    })
  }
}
