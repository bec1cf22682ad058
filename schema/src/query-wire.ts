/**
 * What the query API answers: shapes of servers, metrics, series and live events (those across servers:
 * live-wire.ts). Names are fixed for clients
 * and answers may grow fields. Instants are ms since the epoch, intervals half-open.
 */
import { z } from 'zod'
import { units } from './metric-unit.ts'
import { metricId, serverId } from './sample-wire.ts'

const anyLabels = z.record(z.string(), z.string())
const column = z.array(z.number().nullable())

export const serverEntry = z
  .object({
    serverId,
    firstSeenMs: z.int(),
    lastSeenMs: z.int().describe('End of the newest stored minute that has a sample of this server'),
    seriesCount: z.int().optional().describe('Absent with seriesCount=no'),
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

export const metricListEntry = z
  .object({
    metricId,
    unit: z.enum(units).describe('Told from the id, `number` when nothing is known'),
    serverCount: z.int(),
    seriesCount: z.int(),
    firstSeenMs: z.int(),
    lastSeenMs: z
      .int()
      .nullable()
      .describe(
        'End of the newest stored minute of any of its series, completeThroughMs at most; null when it is of no recent minute and ' +
          'has too many series to look through',
      ),
  })
  .meta({ id: 'MetricListEntry' })

export const metricListAnswer = z
  .object({ completeThroughMs: z.int(), metrics: z.array(metricListEntry), nextCursor: z.string().nullable() })
  .meta({ id: 'MetricListAnswer' })

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

const statistics = z.object({
  min: column.optional(),
  max: column.optional(),
  avg: column.optional(),
  sum: column.optional(),
  count: column.optional(),
})

export const summaryPers = ['server', 'series'] as const
export type SummaryPer = (typeof summaryPers)[number]

/** `GET /v1/metrics/{metricId}/summary`: the same, put together. One slot per step from startMs. */
export const metricSummaryAnswer = seriesAnswer
  .omit({ series: true })
  .extend({
    metricId,
    unit: z.enum(units),
    by: z.enum(aggregations).describe("Which aggregation of a step is a server's (or series') value"),
    per: z.enum(summaryPers),
    matchedSeriesCount: z.int(),
    matchedServerCount: z.int(),
    samples: statistics.describe('Over every sample alike: a server that sends more counts more'),
    across: statistics.describe('Over one value per server (or series); count is how many have one'),
    quantiles: z
      .array(z.object({ quantile: z.number().min(0).max(1), values: column }))
      .describe('Of the same values; of n sorted ones linear between the two at quantile x (n - 1)'),
    distribution: z
      .object({
        bounds: z.array(z.number()).describe('Ascending; bucket i is [bounds[i], bounds[i + 1])'),
        counts: z.array(z.array(z.int())).describe('For each bucket a column: how many of the values lie in it'),
        below: z.array(z.int()),
        above: z.array(z.int()).describe('At or above the last bound'),
      })
      .optional(),
  })
  .meta({ id: 'MetricSummaryAnswer' })

/** `GET /v1/latest`: a table of servers, one slot a server in each column. */
export const latestAnswer = z
  .object({
    completeThroughMs: z.int().describe('End of the newest closed minute; 0 before any is closed'),
    startMs: z.int().describe('Start of the oldest minute that was looked at'),
    endMs: z.int(),
    servers: z.array(serverId).describe('Those that have a matching series, sorted'),
    groups: z
      .array(z.string().nullable())
      .optional()
      .describe('With groupBy: of each server the value of that label, null where none of its series has it'),
    series: z.array(
      z.object({
        metricId,
        labels: anyLabels,
        unit: z.enum(units),
        minutesBack: z
          .array(z.int().nullable())
          .describe(
            'How many minutes before the newest closed one the value is of; null: there is none in these minutes',
          ),
        min: column.optional(),
        max: column.optional(),
        avg: column.optional(),
        sum: column.optional(),
        count: column.optional(),
      }),
    ),
  })
  .meta({ id: 'LatestAnswer' })

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

export const liveReset = z
  .object({ reason: z.string() })
  .meta({ id: 'LiveReset', description: 'More was missed than is replayed: read the range again' })

export type ServerEntry = z.infer<typeof serverEntry>
export type ServersAnswer = z.infer<typeof serversAnswer>
export type MetricEntry = z.infer<typeof metricEntry>
export type MetricsAnswer = z.infer<typeof metricsAnswer>
export type MetricListAnswer = z.infer<typeof metricListAnswer>
export type SeriesColumns = z.infer<typeof seriesColumns>
export type SeriesAnswer = z.infer<typeof seriesAnswer>
export type MetricSeriesAnswer = z.infer<typeof metricSeriesAnswer>
export type MetricSummaryAnswer = z.infer<typeof metricSummaryAnswer>
export type LatestAnswer = z.infer<typeof latestAnswer>
export type LiveMinute = z.infer<typeof liveMinute>
export type LiveStatus = z.infer<typeof liveStatus>

const storageTier = z
  .object({
    tier: z
      .enum(['minutes', 'sealed-minutes', 'hours', 'log', 'rest'])
      .describe(
        'minutes: of hours that are not sealed; sealed-minutes: hour blocks; hours: minimum, maximum, sum and count of each hour; log: samples on ' +
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
