/** Settings of the Postgres sample log. */
import { integer, type Settings } from '../config.ts'

export const postgresLogSettings = {
  partitionCount: {
    name: 'LOG_PARTITIONS',
    shape: integer({ min: 1, max: 64 }),
    default: '1',
    description: 'Partitions of the embedded sample log; each has a reader of its own',
  },
  keepMs: {
    name: 'LOG_KEEP_MS',
    shape: integer({ min: 0, max: 604_800_000 }),
    default: '900000',
    unit: 'ms',
    description: 'How long log records are kept after every reader has read them',
  },
  sizeBytesMax: {
    name: 'LOG_BYTES_MAX',
    shape: integer({ min: 16_777_216, max: 1_099_511_627_776 }),
    default: '8589934592',
    unit: 'bytes',
    description: 'Size of the log on disk past which samples are refused with 503 until the readers catch up',
  },
  tailBytesMax: {
    name: 'LOG_TAIL_BYTES_MAX',
    shape: integer({ min: 0, max: 1_073_741_824 }),
    default: '33554432',
    unit: 'bytes',
    description: 'Memory for the newest records, so that the aggregator in the same process need not read them back',
  },
  deadLettersMax: {
    name: 'DEAD_LETTERS_MAX',
    shape: integer({ min: 1, max: 1_000_000 }),
    default: '10000',
    description: 'Log records that could not be read and are kept for a person to look at; beyond it the oldest go',
  },
} satisfies Settings
