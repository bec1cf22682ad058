/**
 * Live events that are about many servers: a closed minute of one metric put together, and how the fleet is. Small, whatever the
 * number of servers. Instants are ms since the epoch, intervals half-open.
 */
import { z } from 'zod'
import { units } from './metric-unit.ts'
import { aggregations, summaryPers } from './query-wire.ts'
import { metricId, serverId } from './sample-wire.ts'

const value = z.number().nullable()
const statistics = z.object({ min: value, max: value, avg: value, sum: value, count: z.int() })

export const rankingOrders = ['top', 'bottom'] as const
export type RankingOrder = (typeof rankingOrders)[number]

/** `minute` of `GET /v1/metrics/{metricId}/live`: one step of /summary, and who is at its top (or bottom). */
export const liveMetricMinute = z
  .object({
    metricId,
    unit: z.enum(units),
    minuteMs: z.int().describe('Closed: its values change only when late data comes, which is not told here'),
    completeThroughMs: z.int().describe('End of this minute: everything before it has been sent'),
    by: z.enum(aggregations).describe("Which aggregation of the minute is a server's (or series') value"),
    per: z.enum(summaryPers),
    matchedSeriesCount: z.int().describe('Series that there are, with a sample in this minute or not'),
    matchedServerCount: z.int(),
    samples: statistics.describe('Over every sample alike; null without any'),
    across: statistics.describe('Over one value per server (or series); count is how many have one'),
    quantiles: z
      .array(z.object({ quantile: z.number().min(0).max(1), value }))
      .describe('Of the same values; of n sorted ones linear between the two at quantile x (n - 1)'),
    order: z.enum(rankingOrders),
    ranking: z
      .array(
        z.object({
          serverId,
          labels: z.record(z.string(), z.string()).optional().describe('Only with per=series'),
          value: z.number(),
        }),
      )
      .describe('The first `limit` by value in the asked order; equal ones by server id'),
  })
  .meta({ id: 'LiveMetricMinute' })

/** `progress` of `GET /v1/live`. */
export const liveProgress = z
  .object({
    completeThroughMs: z.int(),
    servers: z
      .object({
        total: z.int(),
        live: z.int().describe('Have a sample in the newest closed minute'),
        late: z.int().describe('Have none there, but one in the two minutes before'),
        silent: z.int(),
      })
      .nullable()
      .describe('Servers by when they were last seen; null when Postgres did not say in time'),
    samplesPerMinute: z
      .int()
      .nullable()
      .describe('Samples that collectors accepted in the newest closed minute; null while that is not known'),
  })
  .meta({ id: 'LiveProgress', description: 'Sent on /v1/live when it opens and whenever more minutes are closed' })

export type LiveMetricMinute = z.infer<typeof liveMetricMinute>
export type LiveProgress = z.infer<typeof liveProgress>
