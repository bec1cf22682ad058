/** Settings of the connections to Redis. Redis is optional at every moment: what it holds can be had elsewhere. */
import { z } from 'zod'
import { type ConfigOf, integer, type Settings } from '../config.ts'

export const redisSettings = {
  url: {
    name: 'REDIS_URL',
    shape: z
      .string()
      .refine(
        (written) => /^rediss?:$/.test(URL.parse(written)?.protocol ?? ''),
        'must be redis://[user:password@]host[:port][/db], or rediss:// for TLS',
      ),
    default: 'redis://127.0.0.1:6379',
    description:
      'Where Redis is, one primary (no Redis Cluster), >= 7; with a password rather as MINUTELY_REDIS_URL_FILE',
    secret: true,
  },
  timeoutMs: {
    name: 'REDIS_TIMEOUT_MS',
    shape: integer({ min: 10, max: 60_000 }),
    default: '1000',
    unit: 'ms',
    description: 'Longest wait for an answer of Redis where nothing tighter is set',
  },
  queueBytesMax: {
    name: 'REDIS_QUEUE_BYTES_MAX',
    shape: integer({ min: 1_048_576, max: 4_294_967_296 }),
    default: '67108864',
    unit: 'bytes',
    description: 'Most bytes a connection may have sent to Redis without an answer; what is beyond fails at once',
  },
  reconnectMsMax: {
    name: 'REDIS_RECONNECT_MS_MAX',
    shape: integer({ min: 50, max: 600_000 }),
    default: '5000',
    unit: 'ms',
    description: 'Longest pause between attempts to connect; they begin at 50 ms and double, with jitter',
  },
} satisfies Settings

export type RedisConfig = ConfigOf<typeof redisSettings>
