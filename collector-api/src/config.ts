/**
 * Settings of the collector. Each bounds something that a stranger on the network, or a log that stalls, could
 * otherwise let grow; limits that are part of the wire format (names, values) are in schema/src/limits.ts.
 *
 * Bytes are plain bytes (1 MiB = 1048576), times ms.
 */
import { type ConfigOf, integer, type Settings } from '@minutely/lib/config'
import { httpSettings } from '@minutely/lib/http-server'
import { ingestReportSettings } from '@minutely/lib/ingest-report/ingest-report-settings'
import { kafkaLogSettings } from '@minutely/lib/kafka-log/kafka-log-settings'
import { loggingSettings } from '@minutely/lib/logging'
import { schemaRegistrySettings } from '@minutely/lib/schema-registry/schema-registry-settings'

const mebibyte = 1_048_576

export const collectorSettings = {
  bodyBytesMax: {
    name: 'BODY_BYTES_MAX',
    shape: integer({ min: 1024, max: 64 * mebibyte }),
    default: '1048576',
    unit: 'bytes',
    description: 'Largest request body as it arrives, compressed',
  },
  decodedBytesMax: {
    name: 'DECODED_BYTES_MAX',
    shape: integer({ min: 1024, max: 64 * mebibyte }),
    default: '8388608',
    unit: 'bytes',
    description: 'Largest request body once decompressed',
  },
  decodedRatioMax: {
    name: 'DECODED_RATIO_MAX',
    shape: integer({ min: 2, max: 10_000 }),
    default: '50',
    description:
      'How many times its compressed size a body may decode to; one that decodes to 1 MiB or less always may',
  },
  receivedBytesInFlightMax: {
    name: 'RECEIVED_BYTES_IN_FLIGHT_MAX',
    shape: integer({ min: mebibyte, max: 4096 * mebibyte }),
    default: '134217728',
    unit: 'bytes',
    description: 'Bodies being received at once, all requests together; above it: 503',
  },
  decodedBytesInFlightMax: {
    name: 'DECODED_BYTES_IN_FLIGHT_MAX',
    shape: integer({ min: mebibyte, max: 4096 * mebibyte }),
    default: '67108864',
    unit: 'bytes',
    description: 'Decoded bodies in memory at once, all requests together; above it: 503',
  },
  seriesPerRequestMax: {
    name: 'SERIES_PER_REQUEST_MAX',
    // 7,000 x (1 + 20 labels) is what the codec lets one series list hold.
    shape: integer({ min: 1, max: 7_000 }),
    default: '5000',
    description: 'Series in one request; samples of further ones are refused as `series-per-request`',
  },
  sampleFutureMsMax: {
    name: 'SAMPLE_FUTURE_MS_MAX',
    shape: integer({ min: 0, max: 86_400_000 }),
    default: '300000',
    unit: 'ms',
    description: "How far a sample may be ahead of the collector's clock",
  },
  sampleAgeMsMax: {
    name: 'SAMPLE_AGE_MS_MAX',
    shape: integer({ min: 60_000, max: 3_650 * 86_400_000 }),
    default: '172800000',
    unit: 'ms',
    description: "How far a sample may be behind the collector's clock; no more than minutes are retained",
  },
  activeSeriesMax: {
    name: 'ACTIVE_SERIES_MAX',
    // Beyond it a Set of V8, with room to grow, would be near its end.
    shape: integer({ min: 1, max: 10_000_000 }),
    default: '150000',
    description:
      'Series of a tenant, counted in each collector, that were sent within the last 2 h; further new ones are refused as `series-limit`',
  },
  activeSeriesBytesMax: {
    name: 'ACTIVE_SERIES_BYTES_MAX',
    shape: integer({ min: 32_768, max: 16_384 * mebibyte }),
    default: '67108864',
    unit: 'bytes',
    description:
      'Names and labels of these series together, which every service holds in memory; 447 bytes each by default',
  },
  newSeriesPerMinuteMax: {
    name: 'NEW_SERIES_PER_MINUTE_MAX',
    shape: integer({ min: 1, max: 10_000_000 }),
    default: '10000',
    description:
      'New series that a tenant may begin a minute, for as long as it likes; as many as `ACTIVE_SERIES_MAX` at once after a pause',
  },
  seriesCacheBytesMax: {
    name: 'SERIES_CACHE_BYTES_MAX',
    shape: integer({ min: 0, max: 16_384 * mebibyte }),
    default: '67108864',
    unit: 'bytes',
    description: 'Series lists kept so that an equal list is not judged again; about 12 KB a server with 200 series',
  },
  ingestHostsMax: {
    name: 'INGEST_HOSTS_MAX',
    shape: integer({ min: 0, max: 1_000 }),
    default: '50',
    unit: 'hosts',
    description:
      'Hosts with refused samples that `/ingest` shows by name, of each collector and day: the worst; the others together',
  },
  lingerMs: {
    name: 'LINGER_MS',
    shape: integer({ min: 0, max: 5_000 }),
    default: '100',
    unit: 'ms',
    description: 'How long samples are gathered across requests before they are appended to the log',
  },
  lingerBytesMax: {
    name: 'LINGER_BYTES_MAX',
    shape: integer({ min: 1, max: 64 * mebibyte }),
    default: '262144',
    unit: 'bytes',
    description: 'Gathered bytes at which samples are appended at once',
  },
  recordBytesMax: {
    name: 'RECORD_BYTES_MAX',
    // A section's frame and one series with 20 full labels take about 14 KB: below 64 KiB little would fit beside them.
    shape: integer({ min: 65_536, max: 16 * mebibyte }),
    default: '921600',
    unit: 'bytes',
    description: 'Largest record of the log; the default leaves room for framing below the 1 MiB of a Kafka broker',
  },
  appendDeadlineMs: {
    name: 'APPEND_DEADLINE_MS',
    shape: integer({ min: 100, max: 600_000 }),
    default: '8000',
    unit: 'ms',
    description: 'How long the log may take to confirm before the request is answered with 503',
  },
  appendsInFlightMax: {
    name: 'APPENDS_IN_FLIGHT_MAX',
    shape: integer({ min: 1, max: 64 }),
    default: '2',
    description: 'Appends to the log at the same time; further ones wait',
  },
  appendQueueBytesMax: {
    name: 'APPEND_QUEUE_BYTES_MAX',
    shape: integer({ min: mebibyte, max: 4096 * mebibyte }),
    default: '67108864',
    unit: 'bytes',
    description: 'Samples that are gathered, waiting or being appended; above it: 503',
  },
} satisfies Settings

export type CollectorConfig = ConfigOf<typeof collectorSettings>

/** Of the process, when it runs alone (main.ts). */
export const collectorProcessSettings = {
  http: httpSettings,
  logging: loggingSettings,
  ingest: ingestReportSettings,
  kafka: kafkaLogSettings,
  schemas: schemaRegistrySettings,
  collector: {
    ...collectorSettings,
    // Kafka costs by touched partition and append: fewer and larger ones.
    lingerMs: { ...collectorSettings.lingerMs, default: '250' },
    lingerBytesMax: { ...collectorSettings.lingerBytesMax, default: '1048576' },
  },
} as const satisfies Readonly<Record<string, Settings>>
