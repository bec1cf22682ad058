/**
 * A connection to Redis for commands.
 *
 * What callers may rely on:
 * - Nothing waits for a connection. Without one a command fails at once (RedisError 'disconnected'); connecting goes on
 *   in the background for ever, with doubling pauses.
 * - A command is sent at most once, and only on a connection of which the server's run id is known: `runId` is that of
 *   the server the next command goes to. It changes with every restart and failover of Redis.
 * - A command whose answer takes longer than its timeout fails ('timeout'). Redis may still carry it out later.
 * - Bytes sent without an answer are bounded by queueBytesMax, those of timed-out commands included; beyond it commands
 *   fail at once ('full').
 * - A replica is not taken for a connection: what it holds may lag, and it refuses writes.
 */
import { createHash } from 'node:crypto'
import type { Service } from '../lifecycle.ts'
import { type RedisConnection, type RedisDeps, redisConnection, watchConnection } from './redis-connection.ts'
import type { RedisConfig } from './redis-settings.ts'

export type RedisArgument = string | number | Buffer

/** Lua that runs within Redis, atomically. */
export interface RedisScript {
  readonly lua: string
  readonly sha1: string
}

export interface CallOptions {
  /** Instead of the setting. */
  readonly timeoutMs?: number
}

export interface RedisClient extends Service {
  /** Of the server behind the connection; undefined while there is none. */
  readonly runId: string | undefined
  /** Text replies as strings. @throws RedisError */
  call(command: string, args: readonly RedisArgument[], options?: CallOptions): Promise<unknown>
  /** Text replies as Buffers. @throws RedisError */
  callBuffer(command: string, args: readonly RedisArgument[], options?: CallOptions): Promise<unknown>
  /** EVALSHA without keys; sends the script when Redis does not have it. @throws RedisError */
  runScript(script: RedisScript, args: readonly RedisArgument[], options?: CallOptions): Promise<unknown>
  /** @returns how many subscribers got it. @throws RedisError */
  publish(channel: string, message: string | Buffer, options?: CallOptions): Promise<number>
  /** Calls back whenever a connection has become usable, at once if one is. @returns what ends that. */
  onReady(listener: (runId: string) => void): () => void
}

export type RedisFailure = 'disconnected' | 'timeout' | 'full' | 'refused'

/** Redis gave no good answer. Nothing is lost by it: try later, or do without. */
export class RedisError extends Error {
  override readonly name = 'RedisError'
  readonly reason: RedisFailure

  constructor(reason: RedisFailure, message: string, options?: ErrorOptions) {
    super(message, options)
    this.reason = reason
  }
}

export function redisScript(lua: string): RedisScript {
  return { lua, sha1: createHash('sha1').update(lua).digest('hex') }
}

/** `name`: of the connection, in CLIENT LIST, log lines and metrics. */
export function createRedisClient(config: RedisConfig, name: string, deps: RedisDeps): RedisClient {
  return new IoredisClient(config, name, deps)
}

class IoredisClient implements RedisClient {
  readonly name: string
  runId: string | undefined
  readonly #redis: RedisConnection
  readonly #config: RedisConfig
  readonly #deps: RedisDeps
  readonly #listeners = new Set<(runId: string) => void>()
  readonly #connected: (detail: object) => void
  #queueBytes = 0

  constructor(config: RedisConfig, name: string, deps: RedisDeps) {
    this.name = `redis-${name}`
    this.#config = config
    this.#deps = deps
    this.#redis = redisConnection(config, name)
    this.#connected = watchConnection(this.#redis, this.name, deps)
    this.#redis.on('close', () => {
      this.runId = undefined
    })
    this.#redis.on('ready', () => void this.#introduce())
  }

  /** Does not wait for Redis: everything works without. */
  async start(): Promise<void> {
    void this.#redis.connect().catch(() => {})
  }

  async stop(): Promise<void> {
    this.runId = undefined
    this.#redis.disconnect()
  }

  async #introduce(): Promise<void> {
    try {
      const info = String(await this.#redis.call('info'))
      const field = (key: string): string => new RegExp(`^${key}:(.*?)\\r?$`, 'm').exec(info)?.[1] ?? ''
      const [runId, role] = [field('run_id'), field('role')]
      if (role !== 'master') throw new Error(`this Redis is a ${role || 'server without a role'}, a primary is needed`)
      // The connection may have ended since; its successor introduces itself.
      if (this.#redis.status !== 'ready') return
      this.runId = runId
      this.#connected({ runId, version: field('redis_version') })
      for (const listener of this.#listeners) listener(runId)
    } catch (error) {
      this.#redis.emit('error', error)
      this.#redis.disconnect(true)
    }
  }

  onReady(listener: (runId: string) => void): () => void {
    this.#listeners.add(listener)
    if (this.runId !== undefined) listener(this.runId)
    return () => this.#listeners.delete(listener)
  }

  call(command: string, args: readonly RedisArgument[], options?: CallOptions): Promise<unknown> {
    return this.#bounded(args, () => this.#redis.call(command, [...args]), options)
  }

  callBuffer(command: string, args: readonly RedisArgument[], options?: CallOptions): Promise<unknown> {
    return this.#bounded(args, () => this.#redis.callBuffer(command, [...args]), options)
  }

  async runScript(script: RedisScript, args: readonly RedisArgument[], options?: CallOptions): Promise<unknown> {
    const sentTo = this.runId
    try {
      return await this.callBuffer('evalsha', [script.sha1, 0, ...args], options)
    } catch (error) {
      if (!(error as Error).message.startsWith('NOSCRIPT') || this.runId !== sentTo) throw error
      return this.callBuffer('eval', [script.lua, 0, ...args], options)
    }
  }

  async publish(channel: string, message: string | Buffer, options?: CallOptions): Promise<number> {
    return Number(await this.call('publish', [channel, message], options))
  }

  #bounded(args: readonly RedisArgument[], send: () => Promise<unknown>, options: CallOptions = {}): Promise<unknown> {
    const { queueBytesMax } = this.#config
    const { timeoutMs = this.#config.timeoutMs } = options
    const bytes = args.reduce((sum: number, argument) => sum + sizeOf(argument), 0)
    if (this.runId === undefined) return this.#failed(new RedisError('disconnected', 'there is no connection to Redis'))
    if (this.#queueBytes + bytes > queueBytesMax) {
      const held = `${this.#queueBytes} bytes wait for an answer of Redis`
      return this.#failed(new RedisError('full', `${held}; another ${bytes} would exceed ${queueBytesMax}`))
    }
    this.#queue(bytes)
    return new Promise((resolve, reject) => {
      let isDecided = false
      const fail = (error: RedisError): void => {
        if (isDecided) return
        isDecided = true
        this.#failed(error).catch(reject)
      }
      const cancel = this.#deps.clock.schedule(timeoutMs, () =>
        fail(new RedisError('timeout', `Redis did not answer within ${timeoutMs} ms`)),
      )
      send()
        .then(resolve, (error: Error) => {
          const reason = error.name === 'ReplyError' ? 'refused' : 'disconnected'
          fail(new RedisError(reason, error.message, { cause: error }))
        })
        .finally(() => {
          isDecided = true
          cancel()
          this.#queue(-bytes)
        })
    })
  }

  #queue(bytes: number): void {
    this.#queueBytes += bytes
    this.#deps.metrics?.queueBytes.set({ connection: this.name }, this.#queueBytes)
  }

  async #failed(error: RedisError): Promise<never> {
    this.#deps.metrics?.failures.inc({ connection: this.name, reason: error.reason })
    throw error
  }
}

function sizeOf(argument: RedisArgument): number {
  return typeof argument === 'number' ? 8 : Buffer.byteLength(argument)
}
