/** The live streams, for the OpenAPI document. */
import { liveMetricMinute, liveProgress, rankingOrders } from '@minutely/schema/live-wire'
import { aggregations, liveMinute, liveReset, liveStatus, summaryPers } from '@minutely/schema/query-wire'
import { metricId, serverId } from '@minutely/schema/sample-wire'
import { z } from 'zod'
import type { ZodOpenApiContentObject } from 'zod-openapi'
import { rankingLimit } from './metric-live-question.ts'
import type { RouteDescription } from './openapi-routes.ts'
import { labelFilter } from './openapi-shared.ts'

function events(description: string, shapes: readonly z.ZodType[]): ZodOpenApiContentObject {
  return { 'text/event-stream': { schema: z.union(shapes as [z.ZodType, z.ZodType]).describe(description) } }
}

export const liveRoutes: readonly RouteDescription[] = [
  {
    path: '/v1/servers/{serverId}/live',
    method: 'get',
    operationId: 'watchServer',
    tag: 'live',
    summary: 'Minutes of a server as they grow and close (Server-Sent Events)',
    description:
      'Events: `status` at once and every 15 s, `minute`, `reset`. A `minute` replaces what was known of that minute for the ' +
      'series in it. Last-Event-ID replays what was stored since; `reset` means: read the range again.',
    parameters: { path: z.object({ serverId }), header: z.object({ 'Last-Event-ID': z.string().optional() }) },
    answer: {
      status: '200',
      description: 'A stream without end',
      content: events('The data of an event, by its name', [liveMinute, liveStatus, liveReset]),
    },
    errors: [
      'parameter-invalid',
      'server-not-found',
      'too-many-viewers',
      'overloaded',
      'query-timeout',
      'store-unavailable',
    ],
  },
  {
    path: '/v1/metrics/{metricId}/live',
    method: 'get',
    operationId: 'watchMetric',
    tag: 'live',
    summary: 'Closed minutes of one metric across servers, put together (Server-Sent Events)',
    description:
      'Events: `status` at once and every 15 s, `minute` once for each minute when all of it is closed, beginning with the newest, `reset`. ' +
      'The numbers are those of /summary, and who is at the top; a few KB whatever the number of servers. No provisional values. ' +
      'Last-Event-ID replays what was closed since; `reset` means: read the range again.',
    parameters: {
      path: z.object({ metricId }),
      query: z.object({
        label: labelFilter,
        by: z
          .enum(aggregations)
          .optional()
          .describe("Which aggregation of the minute is a server's value, default avg"),
        per: z.enum(summaryPers).optional().describe('What has a value, default server'),
        quantile: z.array(z.number().min(0).max(1)).max(10).optional().describe('At most 10, default 0.5 and 0.95'),
        order: z.enum(rankingOrders).optional().describe('Of the ranking, default top').meta({ example: 'top' }),
        limit: z
          .int()
          .min(rankingLimit.min)
          .max(rankingLimit.max)
          .optional()
          .describe(`Of the ranking, default ${rankingLimit.default}; 0 is none`),
      }),
      header: z.object({ 'Last-Event-ID': z.string().optional() }),
    },
    answer: {
      status: '200',
      description: 'A stream without end',
      content: events('The data of an event, by its name', [liveMetricMinute, liveStatus, liveReset]),
    },
    errors: [
      'parameter-invalid',
      'metric-not-found',
      'too-many-series',
      'too-many-viewers',
      'query-timeout',
      'store-unavailable',
    ],
  },
  {
    path: '/v1/live',
    method: 'get',
    operationId: 'watchFleet',
    tag: 'live',
    summary: 'How far the fleet is complete, and how many of it are there (Server-Sent Events)',
    description:
      'Events: `status` at once and every 15 s, `progress` at once and when more minutes are closed: latest values have changed then.',
    answer: {
      status: '200',
      description: 'A stream without end',
      content: events('The data of an event, by its name', [liveProgress, liveStatus]),
    },
    errors: ['parameter-invalid', 'too-many-viewers', 'query-timeout', 'store-unavailable'],
  },
]
