/**
 * One connection to Redis as we use it. The only file that knows ioredis; redis-client.ts and redis-subscriber.ts are
 * what others use.
 */
import { Redis, type RedisOptions } from 'ioredis'
import type { Clock } from '../clock.ts'
import type { Logger } from '../logging.ts'
import type { RedisMetrics } from './redis-metrics.ts'
import type { RedisConfig } from './redis-settings.ts'

export type RedisConnection = Redis

export interface RedisDeps {
  readonly log: Logger
  readonly clock: Clock
  readonly metrics?: RedisMetrics
}

const reconnectMsMin = 50
const connectTimeoutMs = 5_000
/** A connection on which nothing comes back for so long while something is awaited is dead. */
export const silenceMsMax = 10_000

export function redisConnection(config: RedisConfig, name: string): RedisConnection {
  const options = {
    connectionName: `minutely-${name}`,
    lazyConnect: true,
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    // Whatever is unanswered when a connection ends fails then.
    maxRetriesPerRequest: 0,
    connectTimeout: connectTimeoutMs,
    retryStrategy: (attempt) => {
      const pauseMs = Math.min(reconnectMsMin * 2 ** Math.min(attempt - 1, 20), config.reconnectMsMax)
      return Math.ceil(pauseMs * (0.5 + Math.random() / 2))
    },
    // A primary that became a replica: find the new one.
    reconnectOnError: (error) => error.message.startsWith('READONLY'),

    autoResubscribe: false,
    socketTimeout: silenceMsMax,
  } satisfies RedisOptions
  return new Redis(config.url, options)
}

/** Logs once that a connection is sought, however many attempts that takes, and once that there is one. */
export function watchConnection(redis: RedisConnection, name: string, { log, metrics }: RedisDeps) {
  let isSought = false
  metrics?.connected.set({ connection: name }, 0)
  redis.on('error', (error: Error) => {
    if (isSought) return
    isSought = true
    log.warn({ connection: name, reason: error.message }, 'Redis cannot be reached; trying again until it can')
  })
  redis.on('close', () => metrics?.connected.set({ connection: name }, 0))
  return (detail: object) => {
    isSought = false
    metrics?.connected.set({ connection: name }, 1)
    log.info({ connection: name, ...detail }, 'connected to Redis')
  }
}
