/** Settings of the aggregator. Durations in ms, sizes in bytes. */
import { type ConfigOf, integer, type Settings } from '@minutely/lib/config'

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
    description: 'Memory of the open minutes of a partition; past it the oldest is stored early and merged later',
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
    description: 'How long minutes are kept; older hours are dropped whole',
  },
} satisfies Settings

export type AggregatorConfig = ConfigOf<typeof aggregatorSettings>
