/** What sealing counts. One instance per process, on the registry it is given. */
import { Counter, Gauge, type Registry } from 'prom-client'

export function createSealMetrics(registry: Registry) {
  const registers = [registry]
  return {
    hours: new Counter({
      name: 'minutely_aggregator_sealed_hours_total',
      help: 'Hours that this process sealed, late data into an hour that was sealed before included',
      registers,
    }),
    blocks: new Counter({
      name: 'minutely_aggregator_sealed_blocks_total',
      help: 'Hour blocks written: one for each series and hour',
      registers,
    }),
    bytes: new Counter({
      name: 'minutely_aggregator_sealed_bytes_total',
      help: 'Bytes of the hour blocks written',
      registers,
    }),
    expiredMinutes: new Counter({
      name: 'minutely_aggregator_expired_minutes_total',
      help: 'Series-minutes of late data that were left out because the rest of their hour is past its retention',
      registers,
    }),
    seconds: new Counter({
      name: 'minutely_aggregator_seal_seconds_total',
      help: 'Time spent with sealing, pauses included',
      registers,
    }),
    oldestDueSeconds: new Gauge({
      name: 'minutely_aggregator_seal_delay_seconds',
      help: 'How long ago the oldest hour that is not sealed was to be; 0 when none is due, and in processes that do not seal',
      registers,
    }),
    failures: new Counter({
      name: 'minutely_aggregator_seal_failures_total',
      help: 'Sealings of an hour that failed, by reason: outside, encode, compare or unreadable (it cannot be packed), busy (a lock), dirty (late data meanwhile), store (Postgres); tried again after MINUTELY_RESEAL_AFTER_MINUTES',
      labelNames: ['reason'] as const,
      registers,
    }),
  }
}

export type SealMetrics = ReturnType<typeof createSealMetrics>
