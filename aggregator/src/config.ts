/** Settings of the aggregator. Durations in ms, sizes in bytes. */
import { type ConfigOf, integer, type Settings } from '@minutely/lib/config'
import { httpSettings } from '@minutely/lib/http-server'
import { ingestReportSettings } from '@minutely/lib/ingest-report/ingest-report-settings'
import { kafkaLogSettings } from '@minutely/lib/kafka-log/kafka-log-settings'
import { liveSettings } from '@minutely/lib/live/live-settings'
import { loggingSettings } from '@minutely/lib/logging'
import { postgresSettings } from '@minutely/lib/postgres/postgres-settings'
import { ringSettings } from '@minutely/lib/recent-ring/ring-settings'
import { redisSettings } from '@minutely/lib/redis/redis-settings'
import { schemaRegistrySettings } from '@minutely/lib/schema-registry/schema-registry-settings'
import { retentionRules } from './retention.ts'

export const aggregatorSettings = {
  latenessMs: {
    name: 'LATENESS_MS',
    shape: integer({ min: 0, max: 600_000 }),
    default: '10000',
    unit: 'ms',
    description: 'How long after its end a minute stays open for samples on their way',
  },
  lateHoldMs: {
    name: 'LATE_HOLD_MS',
    shape: integer({ min: 0, max: 60_000 }),
    default: '2000',
    unit: 'ms',
    description: 'How long samples of a closed minute are gathered before they are merged into it',
  },
  openMinutesMax: {
    name: 'OPEN_MINUTES_MAX',
    shape: integer({ min: 2, max: 1_440 }),
    default: '8',
    description:
      'Open minutes a partition beyond those that lateness keeps open; past it some are stored early and merged later',
  },
  lateMinutesMax: {
    name: 'LATE_MINUTES_MAX',
    shape: integer({ min: 2, max: 100_000 }),
    default: '3000',
    description: 'Closed minutes a partition that are gathering late samples; past it the oldest are merged at once',
  },
  windowBytesMax: {
    name: 'WINDOW_BYTES_MAX',
    shape: integer({ min: 1_048_576, max: 1_099_511_627_776 }),
    default: '536870912',
    unit: 'bytes',
    description: 'Memory of all open minutes of the process; past it the oldest are stored early and merged later',
  },
  readyLagMs: {
    name: 'READY_LAG_MS',
    shape: integer({ min: 1_000, max: 86_400_000 }),
    default: '30000',
    unit: 'ms',
    description: 'How far a partition may lag behind the log when the aggregator first says that it is ready',
  },
  readBytesMax: {
    name: 'AGGREGATOR_READ_BYTES_MAX',
    shape: integer({ min: 65_536, max: 268_435_456 }),
    default: '4194304',
    unit: 'bytes',
    description: 'How much of the log is read at once',
  },
  retentionHours: {
    name: 'RETENTION_HOURS',
    shape: integer({ min: 1, max: 87_600 }),
    default: '48',
    unit: 'h',
    description: 'How long minutes are kept; sealed ones are dropped by the day',
  },
  hourRetentionDays: {
    name: 'HOUR_RETENTION_DAYS',
    shape: integer({ min: 1, max: 3_660 }),
    default: '400',
    unit: 'days',
    description:
      'How long the minimum, maximum, sum and count of each sealed hour are kept, for steps of whole hours; never less than minutes are',
  },
  retentionByMetric: {
    name: 'RETENTION_BY_METRIC',
    shape: retentionRules,
    default: '',
    description:
      'Metrics that are kept for another time, e.g. `debug.*=6h,system.*=7d/3650d`: a glob, how long its minutes are kept and, behind a slash, ' +
      'its hours; the first that matches wins, 16 at most. New patterns apply to what is sealed from then on, new durations to all',
  },
  sealAfterMinutes: {
    name: 'SEAL_AFTER_MINUTES',
    shape: integer({ min: 0, max: 525_600 }),
    default: '60',
    unit: 'minutes',
    description: 'How long after its end an hour is packed into blocks, a tenth of its size or less; 0 is never',
  },
  sealEveryMs: {
    name: 'SEAL_EVERY_MS',
    shape: integer({ min: 100, max: 3_600_000 }),
    default: '60000',
    unit: 'ms',
    description: 'How often one of the aggregators looks for hours to pack; for the first time so long after its start',
  },
  resealAfterMinutes: {
    name: 'RESEAL_AFTER_MINUTES',
    shape: integer({ min: 0, max: 10_080 }),
    default: '15',
    unit: 'minutes',
    description:
      'Shortest time between two packings of an hour: late data is packed then, and what failed is tried again',
  },
  sealRowsPerS: {
    name: 'SEAL_ROWS_PER_S',
    shape: integer({ min: 100, max: 10_000_000 }),
    default: '100000',
    unit: 'rows/s',
    description: 'How fast hours are packed; must be more than the series-minutes that a second brings in',
  },
  sealSliceRowsMax: {
    name: 'SEAL_SLICE_ROWS_MAX',
    shape: integer({ min: 120, max: 1_000_000 }),
    default: '15000',
    unit: 'rows',
    description: 'Rows that are packed at once; about 200 bytes of memory each',
  },
} satisfies Settings

export type AggregatorConfig = ConfigOf<typeof aggregatorSettings>

export const aggregatorStoreSettings = {
  connectionsMax: {
    name: 'AGGREGATOR_CONNECTIONS_MAX',
    shape: integer({ min: 4, max: 200 }),
    default: '8',
    description:
      'Connections to Postgres for storing; further flushes wait for one. One is kept for sealing hours, one for the ring',
  },
} satisfies Settings

/** Of the process, when it runs alone (main.ts). */
export const aggregatorProcessSettings = {
  http: { ...httpSettings, port: { ...httpSettings.port, default: '7073' } },
  logging: loggingSettings,
  ingest: ingestReportSettings,
  kafka: kafkaLogSettings,
  schemas: schemaRegistrySettings,
  postgres: postgresSettings,
  redis: redisSettings,
  ring: ringSettings,
  live: liveSettings,
  store: aggregatorStoreSettings,
  aggregator: aggregatorSettings,
} as const satisfies Readonly<Record<string, Settings>>
