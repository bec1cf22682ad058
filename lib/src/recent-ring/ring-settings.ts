/** Settings of the recent ring in Redis. Writers and readers must agree on the prefix and should on the hours. */
import { z } from 'zod'
import { type ConfigOf, integer, type Settings } from '../config.ts'

export const ringSettings = {
  prefix: {
    name: 'RING_PREFIX',
    shape: z.string().regex(/^[\w:.{}-]{1,64}$/, 'must be 1 to 64 letters, digits or any of _ : . - { }'),
    default: 'minutely:ring',
    description: 'What all keys of the ring start with; the same for aggregators and query APIs',
  },
  hours: {
    name: 'RING_HOURS',
    shape: integer({ min: 1, max: 720 }),
    default: '48',
    unit: 'h',
    description: 'How far back the ring reaches; about 3 KB of Redis memory a series and hour',
  },
  gatherMinutes: {
    name: 'RING_GATHER_MINUTES',
    shape: integer({ min: 1, max: 12 }),
    default: '10',
    unit: 'minutes',
    description: 'How many minutes of a series are pushed together; the newest ones are read from Postgres until then',
  },
  writeBudgetMs: {
    name: 'RING_WRITE_BUDGET_MS',
    shape: integer({ min: 1, max: 60_000 }),
    default: '50',
    unit: 'ms',
    description:
      'Longest time a flush waits for the ring; what is new goes on in the background, merged rows void the ring',
  },
  readBudgetMs: {
    name: 'RING_READ_BUDGET_MS',
    shape: integer({ min: 1, max: 60_000 }),
    default: '100',
    unit: 'ms',
    description: 'Longest time a question waits for the ring before Postgres answers all of it',
  },
  breakerMs: {
    name: 'RING_BREAKER_MS',
    shape: integer({ min: 0, max: 600_000 }),
    default: '5000',
    unit: 'ms',
    description: 'How long the ring is left alone after Redis failed or was too slow',
  },
  partBytesMax: {
    name: 'RING_PART_BYTES_MAX',
    shape: integer({ min: 4_096, max: 4_194_304 }),
    default: '131072',
    unit: 'bytes',
    description: 'Most bytes pushed in one command; Redis serves nobody else meanwhile, about 3 ms for the default',
  },
  queueBytesMax: {
    name: 'RING_QUEUE_BYTES_MAX',
    shape: integer({ min: 1_048_576, max: 4_294_967_296 }),
    default: '67108864',
    unit: 'bytes',
    description:
      'Most bytes waiting to be pushed, and as many gathered before; what is beyond is dropped, counted, and read from Postgres',
  },
  readKeysMax: {
    name: 'RING_READ_KEYS_MAX',
    shape: integer({ min: 1, max: 100_000 }),
    default: '5000',
    unit: 'keys',
    description: 'Most keys (series x hours, about 2 KB each) a question reads; a larger one is read from Postgres',
  },
  repairRowsPerS: {
    name: 'RING_REPAIR_ROWS_PER_S',
    shape: integer({ min: 1_000, max: 100_000_000 }),
    default: '400000',
    unit: 'minutes/s',
    description: 'How fast an empty ring is filled from Postgres, in minutes of series',
  },
} satisfies Settings

export type RingConfig = ConfigOf<typeof ringSettings>
