/** What every connection to Redis reports, by the connection's name. One instance per process. */
import { Counter, Gauge, type Registry } from 'prom-client'

export function createRedisMetrics(registry: Registry) {
  const registers = [registry]
  return {
    connected: new Gauge({
      name: 'minutely_redis_connected',
      help: '1 while the connection to Redis is usable, 0 while it is sought, by connection',
      labelNames: ['connection'] as const,
      registers,
    }),
    queueBytes: new Gauge({
      name: 'minutely_redis_queue_bytes',
      help: 'Bytes sent to Redis without an answer, by connection; bounded by MINUTELY_REDIS_QUEUE_BYTES_MAX',
      labelNames: ['connection'] as const,
      registers,
    }),
    failures: new Counter({
      name: 'minutely_redis_failures_total',
      help: 'Commands that got no good answer, by connection and reason: disconnected, timeout, full (queue), refused (an error of Redis)',
      labelNames: ['connection', 'reason'] as const,
      registers,
    }),
  }
}

export type RedisMetrics = ReturnType<typeof createRedisMetrics>
