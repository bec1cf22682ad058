/**
 * What the query API answers: shapes of servers, metrics, series and live events. Names are fixed for clients
 * and answers may grow fields. Instants are ms since the epoch, intervals half-open.
 */
import { z } from 'zod'
import { metricId, serverId } from './sample-wire.ts'

const anyLabels = z.record(z.string(), z.string())
const column = z.array(z.number().nullable())

export const serverEntry = z
  .object({
    serverId,
    firstSeenMs: z.int(),
    lastSeenMs: z.int().describe('End of the newest stored minute that has a sample of this server'),
    seriesCount: z.int(),
  })
  .meta({ id: 'Server' })

export const serversAnswer = z
  .object({ servers: z.array(serverEntry), nextCursor: z.string().nullable() })
  .meta({ id: 'ServersAnswer' })

export const metricEntry = z
  .object({
    metricId,
    labels: anyLabels,
    firstSeenMs: z.int(),
    lastSeenMs: z.int().describe('End of the newest stored minute of this series'),
  })
  .meta({ id: 'MetricEntry' })

export const metricsAnswer = z.object({ serverId, metrics: z.array(metricEntry) }).meta({ id: 'MetricsAnswer' })

export const aggregations = ['min', 'max', 'avg', 'sum', 'count'] as const
export type Aggregation = (typeof aggregations)[number]

export const seriesColumns = z
  .object({
    serverId: serverId.optional().describe('Only in answers across servers'),
    metricId,
    labels: anyLabels,
    min: column.optional(),
    max: column.optional(),
    avg: column.optional(),
    sum: column.optional(),
    count: column.optional(),
  })
  .meta({ id: 'SeriesColumns', description: 'One slot per step from startMs; null where no sample was seen' })

export const seriesAnswer = z
  .object({
    startMs: z.int(),
    endMs: z.int().describe('Half-open end of the last slot'),
    stepMs: z.int(),
    completeThroughMs: z.int().describe('Steps that end after this instant are provisional'),
    provisionalFromMs: z
      .int()
      .nullable()
      .describe('Start of the first provisional step of this answer, null when all of it is final'),
    series: z.array(seriesColumns),
  })
  .meta({ id: 'SeriesAnswer' })

/** `GET /v1/metrics/{metricId}/series`: the same, across servers. */
export const metricSeriesAnswer = seriesAnswer
  .extend({
    matchedSeriesCount: z
      .int()
      .describe('Series that match; `series` holds the first `limit` of them in the asked order'),
    quantiles: z
      .array(z.object({ quantile: z.number().min(0).max(1), avg: column }))
      .optional()
      .describe('Of avg across all matching series, per step'),
  })
  .meta({ id: 'MetricSeriesAnswer' })

/** One minute of many series of one server, as live events carry it. Columns run parallel to `series`. */
export const liveMinute = z
  .object({
    serverId,
    minuteMs: z.int(),
    provisional: z.boolean().describe('Whether the values of these series may still change; says nothing of others'),
    completeThroughMs: z.int().describe('Everything of this server before it has been sent, and is final'),
    series: z.array(
      z.object({
        metricId,
        labels: anyLabels,
        min: z.number(),
        max: z.number(),
        avg: z.number(),
        sum: z.number(),
        count: z.int(),
      }),
    ),
  })
  .meta({ id: 'LiveMinute' })

export const liveStatus = z
  .object({ nowMs: z.int(), completeThroughMs: z.int() })
  .meta({ id: 'LiveStatus', description: 'Sent when a stream opens and every 15 s: the heartbeat' })

export const liveProgress = z
  .object({ completeThroughMs: z.int() })
  .meta({ id: 'LiveProgress', description: 'Sent on /v1/live when it opens and whenever more minutes are closed' })

export const liveReset = z
  .object({ reason: z.string() })
  .meta({ id: 'LiveReset', description: 'More was missed than is replayed: read the range again' })

export type ServerEntry = z.infer<typeof serverEntry>
export type ServersAnswer = z.infer<typeof serversAnswer>
export type MetricEntry = z.infer<typeof metricEntry>
export type MetricsAnswer = z.infer<typeof metricsAnswer>
export type SeriesColumns = z.infer<typeof seriesColumns>
export type SeriesAnswer = z.infer<typeof seriesAnswer>
export type MetricSeriesAnswer = z.infer<typeof metricSeriesAnswer>
export type LiveMinute = z.infer<typeof liveMinute>
export type LiveStatus = z.infer<typeof liveStatus>

const storageTier = z
  .object({
    tier: z
      .enum(['minutes', 'sealed-minutes', 'hours', 'log', 'rest'])
      .describe(
        'minutes: rows of hours that are not sealed; sealed-minutes: hour blocks; hours: minimum, maximum, sum and count of each hour; log: samples on ' +
          'their way, where the database is the log; rest: everything else in the database',
      ),
    storedBytes: z.int().describe('With indexes'),
    oldestMs: z
      .int()
      .nullable()
      .describe('Start of the oldest hour that is kept; null when there is none, and for log and rest'),
    seriesMinutes: z
      .int()
      .nullable()
      .describe(
        'Series-minutes in it, in the hours tier series-hours x 60; of unsealed ones about; null for log and rest',
      ),
    bytesPerSeriesMinute: z.number().nullable(),
    perDayBytes: z
      .int()
      .nullable()
      .describe('Growth until it settles, by the last sealed hours; null while none are known'),
    settledBytes: z.int().nullable().describe('What it holds when its retention is full, at that rate'),
    settledAtMs: z.int().nullable(),
  })
  .meta({ id: 'StorageTier' })

export const storageAnswer = z
  .object({
    nowMs: z.int(),
    tiers: z.array(storageTier),
    storedBytes: z.int().describe('The whole database'),
    settledBytes: z
      .int()
      .nullable()
      .describe('What the database holds when every retention is full; null while no growth is known'),
    settledAtMs: z.int().nullable(),
    measuredHours: z.int().describe('Sealed hours the growth was measured over, 24 at most'),
    disk: z
      .object({
        freeBytes: z.int(),
        reserveBytes: z.int().describe('Below it samples are refused'),
        fullAtMs: z.int().nullable().describe('When the reserve would be reached; null if it settles before'),
      })
      .nullable()
      .describe('The volume of the database; null where this process cannot see it'),
  })
  .meta({ id: 'StorageAnswer' })

export type StorageTier = z.infer<typeof storageTier>
export type StorageAnswer = z.infer<typeof storageAnswer>
