/** What the aggregator counts. One instance per process, on the registry it is given. */
import { Counter, Gauge, Histogram, type Registry } from 'prom-client'

export function createAggregatorMetrics(registry: Registry) {
  const registers = [registry]
  return {
    samples: new Counter({
      name: 'minutely_aggregator_samples_total',
      help: 'Samples read from the log, by what became of them: folded, duplicate (same value again), conflict (another value for a second that has one: dropped)',
      labelNames: ['outcome'] as const,
      registers,
    }),
    records: new Counter({
      name: 'minutely_aggregator_records_total',
      help: 'Log records read, by whether they could be decoded: read, damaged (some of their sections could not) or unreadable',
      labelNames: ['outcome'] as const,
      registers,
    }),
    logGaps: new Counter({
      name: 'minutely_aggregator_log_gaps_total',
      help: 'Stretches of the log that were gone before they were read, by reason; each is a row of the table log_gap',
      labelNames: ['reason'] as const,
      registers,
    }),
    deadLetters: new Counter({
      name: 'minutely_aggregator_dead_letters_total',
      help: 'Log records set aside because they could not be read, by reason; `npm run dead-letters -- list` shows them',
      labelNames: ['reason'] as const,
      registers,
    }),
    rows: new Counter({
      name: 'minutely_aggregator_stored_minutes_total',
      help: 'Series-minutes stored, by path: copy (new) or merge (existed, or late)',
      labelNames: ['path'] as const,
      registers,
    }),
    lateSamples: new Counter({
      name: 'minutely_aggregator_late_samples_total',
      help: 'Samples merged into minutes that were closed already',
      registers,
    }),
    storeSeconds: new Histogram({
      name: 'minutely_aggregator_store_duration_seconds',
      help: 'Time to store one flush',
      buckets: [0.005, 0.02, 0.1, 0.5, 1, 2, 5, 10, 30],
      registers,
    }),
    storeFailures: new Counter({
      name: 'minutely_aggregator_store_failures_total',
      help: 'Flushes that failed and were tried again',
      registers,
    }),
    openMinutes: new Gauge({
      name: 'minutely_aggregator_open_minutes',
      help: 'Open minutes by partition',
      labelNames: ['topic', 'partition'] as const,
      registers,
    }),
    windowBytes: new Gauge({
      name: 'minutely_aggregator_window_bytes',
      help: 'Memory of the open minutes by partition',
      labelNames: ['topic', 'partition'] as const,
      registers,
    }),
    activeSeries: new Gauge({
      name: 'minutely_aggregator_active_series',
      help: 'Series with a slot by partition',
      labelNames: ['topic', 'partition'] as const,
      registers,
    }),
    completeThrough: new Gauge({
      name: 'minutely_aggregator_complete_through_seconds',
      help: 'Instant up to which every minute is closed and stored, Unix time, by partition',
      labelNames: ['topic', 'partition'] as const,
      registers,
    }),
    lagSeconds: new Gauge({
      name: 'minutely_aggregator_lag_seconds',
      help: 'Age of the last record read when it was read, by partition',
      labelNames: ['topic', 'partition'] as const,
      registers,
    }),
  }
}

export type AggregatorMetrics = ReturnType<typeof createAggregatorMetrics>
