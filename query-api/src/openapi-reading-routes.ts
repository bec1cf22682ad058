/** The routes that read, for the OpenAPI document: lists, ranges, what is stored, and how ingest is. */
import { ingestAnswer } from '@minutely/schema/ingest-wire'
import { metricsAnswer, seriesAnswer, serversAnswer, storageAnswer } from '@minutely/schema/query-wire'
import { serverId } from '@minutely/schema/sample-wire'
import { z } from 'zod'
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
import { seriesCountWords, serversLimit } from './servers.ts'

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
        seriesCount: z
          .enum(seriesCountWords)
          .optional()
          .describe(
            'Whether to count the series of each server, default yes; of thousands that takes longer than the rest',
          ),
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

const exampleCounts = { accepted: [60_000], late: [0], conflicting: [0], lagSeconds: [14] }
const ingest: RouteDescription = {
  path: '/v1/ingest',
  method: 'get',
  operationId: 'readIngest',
  tag: 'operation',
  summary: 'What came in, what was refused by reason and host, how late the rest is',
  description:
    'From what collectors and aggregators stored about themselves every 15 s, so it is a minute behind, as any closed minute; lag by partition ' +
    'is of now. Steps as of any range. Default: the last hour.',
  parameters: { query: z.object({ from: rangeQuery.from, to: rangeQuery.to, stepMs: rangeQuery.stepMs }) },
  answer: {
    status: '200',
    description: 'Counts over the range and by step',
    content: {
      'application/json': {
        schema: ingestAnswer,
        example: {
          startMs,
          endMs: startMs + 60_000,
          stepMs: 60_000,
          completeThroughMs: startMs + 60_000,
          provisionalFromMs: null,
          nowMs: startMs + 75_000,
          lag: {
            partitionCount: 1,
            worstMs: 15_000,
            partitions: [{ topic: 'samples', partition: 0, completeThroughMs: startMs + 60_000, lagMs: 15_000 }],
          },
          logGapCount: 0,
          ...exampleCounts,
          rejected: [{ reason: 'time-in-future', total: 15, counts: [15] }],
          requests: [],
          hosts: [{ host: 'web-17', total: 15, lastMs: startMs, reasons: [{ reason: 'time-in-future', total: 15 }] }],
          sources: [
            {
              source: 'collector-1:7070',
              lastMs: startMs,
              accepted: 60_000,
              rejected: 15,
              late: 0,
              conflicting: 0,
              requests: 0,
            },
          ],
        },
      },
    },
  },
  errors: [
    'parameter-invalid',
    'range-invalid',
    'step-too-fine',
    'too-many-points',
    'too-many-series',
    'overloaded',
    'query-timeout',
    'stored-hour-unreadable',
    'store-unavailable',
  ],
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

export const readingRoutes: readonly RouteDescription[] = [...lists, ...ranges, storage, ingest]
