/** Settings of the live channel over Redis. What they bound is provisional: a viewer gets closed minutes in any case. */
import { z } from 'zod'
import { type ConfigOf, integer, type Settings } from '../config.ts'

export const liveSettings = {
  prefix: {
    name: 'LIVE_PREFIX',
    shape: z
      .string()
      .regex(/^[a-z0-9][a-z0-9._-]{0,63}$/, 'must be 1 to 64 of a-z 0-9 . _ -, the first a letter or digit'),
    default: 'minutely',
    description: 'What the names of our channels in Redis begin with; the same for aggregators and query APIs',
  },
  askTimeoutMs: {
    name: 'LIVE_ASK_TIMEOUT_MS',
    shape: integer({ min: 5, max: 10_000 }),
    default: '150',
    unit: 'ms',
    description:
      'Longest wait of a query for the open minutes of the aggregators; those that do not answer are left out',
  },
  questionsMax: {
    name: 'LIVE_QUESTIONS_MAX',
    shape: integer({ min: 1, max: 100_000 }),
    default: '1000',
    unit: 'questions',
    description: 'Most questions for open minutes without an answer; further queries do without open minutes',
  },
  watchedServersMax: {
    name: 'LIVE_WATCHED_SERVERS_MAX',
    shape: integer({ min: 1, max: 100_000 }),
    default: '2000',
    unit: 'servers',
    description: 'Most servers of which an aggregator sends minutes; viewers of others get closed ones from Postgres',
  },
  messageBytesMax: {
    name: 'LIVE_MESSAGE_BYTES_MAX',
    shape: integer({ min: 65_536, max: 67_108_864 }),
    default: '1048576',
    unit: 'bytes',
    description: 'Largest message on a channel, compressed; a minute of more is cut into parts',
  },
} satisfies Settings

export type LiveConfig = ConfigOf<typeof liveSettings>
