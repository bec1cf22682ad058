/** What the query API counts about itself. Durations are in seconds, as Prometheus wants them. */
import { Counter, Gauge, Histogram, type Registry } from 'prom-client'

export function createQueryMetrics(registry: Registry) {
  const registers = [registry]
  return {
    durationSeconds: new Histogram({
      name: 'minutely_query_duration_seconds',
      help: 'From request to the end of its answer, by route',
      labelNames: ['route'],
      buckets: [0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
      registers,
    }),
    answers: new Counter({
      name: 'minutely_query_answers_total',
      help: 'Answers by route and status; status 499 is a client that went away before its answer',
      labelNames: ['route', 'status'],
      registers,
    }),
    storedRows: new Counter({
      name: 'minutely_query_stored_rows_total',
      help: 'Minute rows read from Postgres',
      registers,
    }),
    unreadableHours: new Counter({
      name: 'minutely_query_unreadable_hours_total',
      help: 'Questions that failed because a stored hour block cannot be read; the answer and the log name it',
      registers,
    }),
    cacheBytes: new Gauge({
      name: 'minutely_query_cache_bytes',
      help: 'Memory that sealed hours and lists of series take; at most MINUTELY_QUERY_CACHE_BYTES_MAX',
      registers,
    }),
    sealedBlocks: new Counter({
      name: 'minutely_query_sealed_blocks_total',
      help: 'Blocks of sealed hours that answers were made of, by source: cache, or store when they were not there',
      labelNames: ['source'],
      registers,
    }),
    points: new Counter({
      name: 'minutely_query_points_total',
      help: 'Points (series x steps) of all range answers',
      registers,
    }),
    pointsInFlight: new Gauge({
      name: 'minutely_query_points_in_flight',
      help: 'Points of the answers being built or sent',
      registers,
    }),
    feedReads: new Counter({
      name: 'minutely_query_feed_reads_total',
      help: 'Times the closed minutes of a watched server did not all come over the live channel and were read from Postgres, by outcome: read or failed (tried again)',
      labelNames: ['outcome'],
      registers,
    }),
    watchedMetrics: new Gauge({
      name: 'minutely_query_watched_metrics',
      help: 'Metrics with a live viewer; the new minutes of each are read once, whatever the number of its viewers',
      registers,
    }),
    metricReads: new Counter({
      name: 'minutely_query_metric_reads_total',
      help: 'Times minutes of a watched metric were read from Postgres, by outcome: read or failed (tried again)',
      labelNames: ['outcome'],
      registers,
    }),
    liveCacheBytes: new Gauge({
      name: 'minutely_query_live_cache_bytes',
      help: 'Memory of what viewers of metrics share; at most MINUTELY_QUERY_LIVE_CACHE_BYTES_MAX',
      registers,
    }),
    viewers: new Gauge({ name: 'minutely_query_viewers', help: 'Open live streams', registers }),
    viewersDropped: new Counter({
      name: 'minutely_query_viewers_dropped_total',
      help: 'Live streams the server ended, by reason: slow, stalled, backlog, buffers-full or replay-failed',
      labelNames: ['reason'],
      registers,
    }),
  }
}

export type QueryMetrics = ReturnType<typeof createQueryMetrics>
