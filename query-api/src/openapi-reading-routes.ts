/** The routes that read, for the OpenAPI document: lists, ranges and live streams. */
import type { ErrorId } from '@minutely/schema/error-catalogue'
import {
  aggregations,
  liveMinute,
  liveProgress,
  liveReset,
  liveStatus,
  metricSeriesAnswer,
  metricsAnswer,
  seriesAnswer,
  serversAnswer,
  storageAnswer,
} from '@minutely/schema/query-wire'
import { metricId, serverId } from '@minutely/schema/sample-wire'
import { z } from 'zod'
import type { ZodOpenApiContentObject } from 'zod-openapi'
import type { RouteDescription } from './openapi-routes.ts'
import { serversLimit } from './servers.ts'

const startMs = 1_764_028_800_000
const instant = z
  .string()
  .describe('ms since the epoch, RFC 3339 with an offset, `now`, or before now: `-15m` (units s, m, h, d, w)')

const labelFilter = z
  .array(z.string().regex(/^[A-Za-z_][A-Za-z0-9_./-]*:./))
  .optional()
  .describe(
    'Label filters `name:value`, repeatable: values of one label are alternatives, labels add up. `*` in a value is any number of ' +
      'characters, a leading `!` turns it round (`cpu.mode:!idle`), `device:!*` is series without that label; `\\` before `*`, `!` or ' +
      '`\\` makes it plain. `label.<name>=<value>` is exactly that value',
  )
  .meta({ example: ['cpu.mode:user'] })
const metricGlobs = z
  .array(z.string())
  .optional()
  .describe('Names or globs (`system.cpu.*`), repeated or comma-separated; default all')

const rangeQuery = {
  from: instant.optional().meta({ example: '-1h' }),
  to: instant.optional().meta({ example: 'now' }),
  stepMs: z.int().multipleOf(60_000).optional().describe('Default: a round step that gives about 720 steps at most'),
  agg: z.array(z.enum(aggregations)).optional().describe('Repeated or comma-separated; default all five'),
  label: labelFilter,
}
const rangeErrors: readonly ErrorId[] = [
  'parameter-invalid',
  'range-invalid',
  'not-acceptable',
  'too-many-series',
  'step-too-fine',
  'too-many-points',
  'query-timeout',
  'overloaded',
  'stored-hour-unreadable',
  'store-unavailable',
]
const rangeHeaders = {
  ETag: { schema: { type: 'string' as const }, description: 'Changes when the answer does, late data included' },
}
const exampleColumns = { min: [0.1, null], max: [0.9, null], avg: [0.45, null], sum: [27, null], count: [60, null] }
const exampleAnswer = {
  startMs,
  endMs: startMs + 120_000,
  stepMs: 60_000,
  completeThroughMs: startMs + 60_000,
  provisionalFromMs: startMs + 60_000,
  series: [{ metricId: 'system.cpu.utilization', labels: { 'cpu.mode': 'user' }, ...exampleColumns }],
}

function rangeContent(schema: z.ZodType, example: unknown): ZodOpenApiContentObject {
  return {
    'application/json': { schema, example },
    'application/x-ndjson': {
      schema: { type: 'string', description: 'The answer without `series` as the first line, then a line per series' },
    },
    'text/csv': {
      schema: { type: 'string', description: 'A line per series and step that has data' },
      example: `metricId,labels,timeMs,provisional,avg\r\nsystem.cpu.utilization,"{""cpu.mode"":""user""}",${startMs},false,0.45\r\n`,
    },
  }
}

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
  {
    path: '/v1/metrics/{metricId}/series',
    method: 'get',
    operationId: 'readMetricRange',
    tag: 'ranges',
    summary: 'A range of one metric across servers, columnar',
    parameters: {
      path: z.object({ metricId }),
      query: z.object({
        ...rangeQuery,
        limit: z.int().min(1).optional().describe('Most series to answer, default 100'),
        order: z
          .string()
          .optional()
          .describe('`serverId` (default), or an aggregation of the whole range, `:desc` (default) or `:asc`')
          .meta({ example: 'max:desc' }),
        quantile: z.array(z.number().min(0).max(1)).optional().describe('Of avg across all matching series, per step'),
      }),
    },
    answer: {
      status: '200',
      description: 'The range',
      content: rangeContent(metricSeriesAnswer, {
        ...exampleAnswer,
        matchedSeriesCount: 1,
        quantiles: [{ quantile: 0.95, avg: [0.45, null] }],
        series: exampleAnswer.series.map((series) => ({ serverId: 'web-17', ...series })),
      }),
      headers: rangeHeaders,
    },
    errors: [...rangeErrors, 'metric-not-found'],
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
