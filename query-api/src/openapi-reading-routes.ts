/** The routes that read, for the OpenAPI document: lists, ranges and live streams. */
import {
  liveMinute,
  liveProgress,
  liveReset,
  liveStatus,
  metricsAnswer,
  seriesAnswer,
  serversAnswer,
  storageAnswer,
} from '@minutely/schema/query-wire'
import { serverId } from '@minutely/schema/sample-wire'
import { z } from 'zod'
import type { ZodOpenApiContentObject } from 'zod-openapi'
import type { RouteDescription } from './openapi-routes.ts'
import {
  exampleAnswer,
  labelFilter,
  metricGlobs,
  rangeContent,
  rangeErrors,
  rangeHeaders,
  rangeQuery,
  startMs,
} from './openapi-shared.ts'
import { serversLimit } from './servers.ts'

function events(description: string, shapes: readonly z.ZodType[]): ZodOpenApiContentObject {
  return { 'text/event-stream': { schema: z.union(shapes as [z.ZodType, z.ZodType]).describe(description) } }
}

const lists: readonly RouteDescription[] = [
  {
    path: '/v1/servers',
    method: 'get',
    operationId: 'listServers',
    tag: 'ranges',
    summary: 'Servers, sorted by id, page by page',
    parameters: {
      query: z.object({
        query: z.string().optional().describe('Part of the server id, in any case'),
        metricId: metricGlobs.describe('Only servers that have a series of these names or globs'),
        label: labelFilter.describe(
          'Only servers that have a series (of such a metric) with these labels, `name:value`',
        ),
        limit: z
          .int()
          .min(serversLimit.min)
          .max(serversLimit.max)
          .optional()
          .describe(`Default ${serversLimit.default}`),
        cursor: z.string().optional().describe('nextCursor of the page before'),
      }),
    },
    answer: {
      status: '200',
      description: 'A page; nextCursor is null on the last one',
      content: {
        'application/json': {
          schema: serversAnswer,
          example: {
            servers: [{ serverId: 'web-17', firstSeenMs: startMs, lastSeenMs: startMs + 60_000, seriesCount: 80 }],
            nextCursor: null,
          },
        },
      },
    },
    errors: ['parameter-invalid', 'query-timeout', 'store-unavailable'],
  },
  {
    path: '/v1/servers/{serverId}/metrics',
    method: 'get',
    operationId: 'listMetrics',
    tag: 'ranges',
    summary: 'Series of a server, with when they were first and last seen',
    parameters: { path: z.object({ serverId }), query: z.object({ metricId: metricGlobs, label: labelFilter }) },
    answer: { status: '200', description: 'All of them', content: { 'application/json': { schema: metricsAnswer } } },
    errors: ['parameter-invalid', 'server-not-found', 'query-timeout', 'stored-hour-unreadable', 'store-unavailable'],
  },
]

const storage: RouteDescription = {
  path: '/v1/storage',
  method: 'get',
  operationId: 'readStorage',
  tag: 'operation',
  summary: 'What is stored, tier by tier, how it grows, and where it will settle',
  description:
    'Growth is that of the last sealed hours. A tier settles when its retention is full: then as much is dropped as comes. Read anew every 10 s at most.',
  answer: {
    status: '200',
    description: 'Sizes and forecast',
    content: {
      'application/json': {
        schema: storageAnswer,
        example: {
          nowMs: startMs,
          tiers: [
            {
              tier: 'sealed-minutes',
              storedBytes: 367_001_600,
              oldestMs: startMs - 86_400_000,
              seriesMinutes: 100_000_000,
              bytesPerSeriesMinute: 3.67,
              perDayBytes: 367_001_600,
              settledBytes: 1_101_004_800,
              settledAtMs: startMs + 172_800_000,
            },
          ],
          storedBytes: 1_200_000_000,
          settledBytes: 3_400_000_000,
          settledAtMs: startMs + 172_800_000,
          measuredHours: 24,
          disk: { freeBytes: 80_000_000_000, reserveBytes: 268_435_456, fullAtMs: null },
        },
      },
    },
  },
  errors: ['parameter-invalid', 'query-timeout', 'store-unavailable'],
}

const ranges: readonly RouteDescription[] = [
  {
    path: '/v1/servers/{serverId}/series',
    method: 'get',
    operationId: 'readServerRange',
    tag: 'ranges',
    summary: 'A range of a server, columnar',
    description: 'from is floored to the step, to is ceiled; startMs and endMs say to what. Default: the last hour.',
    parameters: {
      path: z.object({ serverId }),
      query: z.object({
        metricId: metricGlobs,
        ...rangeQuery,
      }),
    },
    answer: {
      status: '200',
      description: 'The range',
      content: rangeContent(seriesAnswer, exampleAnswer),
      headers: rangeHeaders,
    },
    errors: [...rangeErrors, 'server-not-found'],
  },
]

const live: readonly RouteDescription[] = [
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
    path: '/v1/live',
    method: 'get',
    operationId: 'watchFleet',
    tag: 'live',
    summary: 'How far the fleet is complete (Server-Sent Events)',
    description: 'Events: `status` at once and every 15 s, `progress` when more minutes are closed.',
    answer: {
      status: '200',
      description: 'A stream without end',
      content: events('The data of an event, by its name', [liveProgress, liveStatus]),
    },
    errors: ['parameter-invalid', 'too-many-viewers', 'query-timeout', 'store-unavailable'],
  },
]

export const readingRoutes: readonly RouteDescription[] = [...lists, ...ranges, ...live, storage]
