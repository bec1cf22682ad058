/**
 * What the collector tells Prometheus. Counters count where something is decided: a sample as accepted once it is durable, as
 * rejected once the answer that says so is certain (a 503 is neither: the client sends all of it again).
 */
import { Counter, Gauge, Histogram, type Registry } from 'prom-client'

export type CollectorMetrics = ReturnType<typeof createCollectorMetrics>

/** Bounds of the log's confirmation: milliseconds when all is well, the deadline of 8 s at worst. */
const appendBucketsS = [0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 4, 8, 16]

export function createCollectorMetrics(registry: Registry) {
  const registers = [registry]
  const gauge = (name: string, help: string): Gauge => new Gauge({ name, help, registers })
  return {
    accepted: new Counter({
      name: 'minutely_samples_accepted_total',
      help: 'Samples that are durable in the log',
      registers,
    }),
    rejected: new Counter({
      name: 'minutely_samples_rejected_total',
      help: 'Samples refused, by reason',
      labelNames: ['reason'],
      registers,
    }),
    requests: new Counter({
      name: 'minutely_collector_requests_total',
      help: 'Answered requests to /v1/samples, by form of the body (unknown when it was never read) and status',
      labelNames: ['form', 'status'],
      registers,
    }),
    receivedBytes: new Counter({
      name: 'minutely_collector_received_bytes_total',
      help: 'Bytes of bodies as they arrived, compressed',
      registers,
    }),
    decodedBytes: new Counter({
      name: 'minutely_collector_decoded_bytes_total',
      help: 'Bytes of bodies after decompression',
      registers,
    }),
    lingerBytes: gauge('minutely_linger_bytes', 'Bytes gathered, waiting or being appended'),
    lingerBytesMax: gauge('minutely_linger_bytes_max', 'Bytes that may be: above it requests are answered with 503'),
    lingerSections: gauge('minutely_linger_sections', 'Sections gathered, waiting or being appended'),
    appendsInFlight: gauge('minutely_appends_in_flight_count', 'Appends the log has not answered yet'),
    appendDuration: new Histogram({
      name: 'minutely_append_duration_seconds',
      help: 'Time until the log confirmed or refused an append',
      labelNames: ['result'],
      buckets: appendBucketsS,
      registers,
    }),
    activeSeries: gauge('minutely_collector_active_series', 'Series sent to this collector within the last 2 h'),
    activeSeriesMax: gauge(
      'minutely_collector_active_series_max',
      'Active series above which new ones are refused as series-limit',
    ),
    activeSeriesBytes: gauge('minutely_collector_active_series_bytes', 'Their names and labels'),
    activeSeriesBytesMax: gauge(
      'minutely_collector_active_series_bytes_max',
      'Names and labels above which new series are refused as series-limit',
    ),
    newSeries: new Counter({
      name: 'minutely_collector_new_series_total',
      help: 'Series that were new to this collector and were admitted',
      registers,
    }),
    seriesCacheEntries: gauge('minutely_series_cache_entries_count', 'Series lists whose verdict is kept'),
    seriesCacheBytes: gauge('minutely_series_cache_bytes', 'Memory the kept series lists take, roughly'),
    seriesCacheBytesMax: gauge('minutely_series_cache_bytes_max', 'Memory they may take'),
    seriesCacheLookups: new Counter({
      name: 'minutely_series_cache_lookups_total',
      help: 'Lookups of series lists, hit or miss',
      labelNames: ['result'],
      registers,
    }),
  }
}
