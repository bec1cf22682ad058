/**
 * Settings of the query API: what one answer, one process and one live viewer may cost. Sizes are in bytes, durations in
 * ms. A point is one step of one series in an answer: about 28 bytes while it is gathered (min, max, sum, count), some
 * 50 bytes of JSON.
 */
import { type ConfigOf, integer, type Settings } from '@minutely/lib/config'
import { httpSettings } from '@minutely/lib/http-server'
import { liveSettings } from '@minutely/lib/live/live-settings'
import { loggingSettings } from '@minutely/lib/logging'
import { postgresSettings } from '@minutely/lib/postgres/postgres-settings'
import { ringSettings } from '@minutely/lib/recent-ring/ring-settings'
import { redisSettings } from '@minutely/lib/redis/redis-settings'

export const querySettings = {
  connectionsMax: {
    name: 'QUERY_CONNECTIONS_MAX',
    shape: integer({ min: 1, max: 200 }),
    default: '8',
    description: 'Connections to Postgres for reading; further queries wait for one',
  },
  timeoutMs: {
    name: 'QUERY_TIMEOUT_MS',
    shape: integer({ min: 100, max: 600_000 }),
    default: '10000',
    unit: 'ms',
    description: 'Longest time a query may take, waiting for a connection included',
  },
  seriesMax: {
    name: 'QUERY_SERIES_MAX',
    shape: integer({ min: 1, max: 100_000 }),
    default: '1000',
    unit: 'series',
    description: 'Most series in one answer',
  },
  summarySeriesMax: {
    name: 'QUERY_SUMMARY_SERIES_MAX',
    shape: integer({ min: 1, max: 1_000_000 }),
    default: '50000',
    unit: 'series',
    description:
      'Most series that one summary or one answer of latest values is made of; about 500 bytes each meanwhile',
  },
  minutesMax: {
    name: 'QUERY_MINUTES_MAX',
    shape: integer({ min: 1000, max: 1_000_000_000_000 }),
    default: '50000000',
    unit: 'minutes',
    description: 'Most stored minutes (series x minutes of the range) that one summary reads',
  },
  pointsMax: {
    name: 'QUERY_POINTS_MAX',
    shape: integer({ min: 1000, max: 20_000_000 }),
    default: '500000',
    unit: 'points',
    description: 'Most points (series x steps) in one answer',
  },
  pointsInFlightMax: {
    name: 'QUERY_POINTS_IN_FLIGHT_MAX',
    shape: integer({ min: 1000, max: 200_000_000 }),
    default: '4000000',
    unit: 'points',
    description: 'Most points of all answers being built or sent at one time; beyond it 503. 28 bytes each',
  },
  answerTimeoutMs: {
    name: 'QUERY_ANSWER_TIMEOUT_MS',
    shape: integer({ min: 1000, max: 3_600_000 }),
    default: '30000',
    unit: 'ms',
    description: 'Longest time a client may take to read an answer or a replay; then its connection is cut',
  },
  annotationsMax: {
    name: 'QUERY_ANNOTATIONS_MAX',
    shape: integer({ min: 0, max: 1_000_000 }),
    default: '10000',
    unit: 'annotations',
    description: 'Most annotations that are kept; beyond it new ones are refused until some are deleted. 0 refuses all',
  },
  cacheBytesMax: {
    name: 'QUERY_CACHE_BYTES_MAX',
    shape: integer({ min: 0, max: 17_179_869_184 }),
    default: '100663296',
    unit: 'bytes',
    description: 'Memory for sealed hours that were read, and for lists of series; 0 reads them anew each time',
  },
  rangeDaysMax: {
    name: 'QUERY_RANGE_DAYS_MAX',
    shape: integer({ min: 1, max: 3660 }),
    default: '400',
    unit: 'days',
    description: 'Longest time range of one question; as long as the retention is enough',
  },
  viewersMax: {
    name: 'QUERY_VIEWERS_MAX',
    shape: integer({ min: 0, max: 20_000 }),
    default: '1000',
    unit: 'viewers',
    description: 'Most live streams at one time; beyond it 503',
  },
  viewerBufferBytesMax: {
    name: 'QUERY_VIEWER_BUFFER_BYTES_MAX',
    shape: integer({ min: 16_384, max: 268_435_456 }),
    default: '1048576',
    unit: 'bytes',
    description: 'A live viewer with more than this unsent is too slow and is dropped',
  },
  viewersBufferBytesMax: {
    name: 'QUERY_VIEWERS_BUFFER_BYTES_MAX',
    shape: integer({ min: 65_536, max: 4_294_967_296 }),
    default: '67108864',
    unit: 'bytes',
    description:
      'Most bytes all live viewers together may have unsent, an event that several wait for counted once; ' +
      'beyond it those with most unsent are dropped',
  },
  liveCacheBytesMax: {
    name: 'QUERY_LIVE_CACHE_BYTES_MAX',
    shape: integer({ min: 65_536, max: 4_294_967_296 }),
    default: '67108864',
    unit: 'bytes',
    description:
      'Memory for the series and the last minutes of metrics that are watched live; what does not fit is read again',
  },
  replayMinutesMax: {
    name: 'QUERY_REPLAY_MINUTES_MAX',
    shape: integer({ min: 0, max: 1440 }),
    default: '60',
    unit: 'minutes',
    description: 'How far back Last-Event-ID replays closed minutes; older asks the client to reload the range',
  },
} satisfies Settings

/** An annotation is a few milliseconds; more wait. Beside QUERY_CONNECTIONS_MAX. */
export const annotatorConnectionsMax = 2

export type QueryConfig = ConfigOf<typeof querySettings>

/** Of the process, when it runs alone (main.ts). */
export const queryProcessSettings = {
  http: { ...httpSettings, port: { ...httpSettings.port, default: '7072' } },
  logging: loggingSettings,
  postgres: postgresSettings,
  redis: redisSettings,
  ring: ringSettings,
  live: liveSettings,
  query: querySettings,
} as const satisfies Readonly<Record<string, Settings>>
