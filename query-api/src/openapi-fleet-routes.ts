/** The routes that read across servers, for the OpenAPI document: metrics, their ranges and summaries, latest values. */
import type { ErrorId } from '@minutely/schema/error-catalogue'
import {
  aggregations,
  latestAnswer,
  metricListAnswer,
  metricSeriesAnswer,
  metricSummaryAnswer,
  summaryPers,
} from '@minutely/schema/query-wire'
import { metricId } from '@minutely/schema/sample-wire'
import { z } from 'zod'
import { metricListLimit } from './metrics-list.ts'
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
import { metricOrders } from './range-question.ts'
import { minutesLimit } from './read-latest.ts'
import { bucketLimit } from './summary-question.ts'

const quantiles = z.array(z.number().min(0).max(1)).max(10).optional()
const listErrors: readonly ErrorId[] = [
  'parameter-invalid',
  'query-timeout',
  'stored-hour-unreadable',
  'store-unavailable',
]
const cpu = 'system.cpu.utilization'
const exampleStatistics = { min: [0.1], max: [0.9], avg: [0.45], sum: [0.9], count: [2] }

export const fleetRoutes: readonly RouteDescription[] = [
  {
    path: '/v1/metrics',
    method: 'get',
    operationId: 'listAllMetrics',
    tag: 'ranges',
    summary: 'Metrics of all servers, sorted by id, page by page',
    parameters: {
      query: z.object({
        query: z.string().optional().describe('Part of the metric id, in any case'),
        metricId: metricGlobs,
        label: labelFilter.describe('Counts only series with these labels, `name:value`'),
        limit: z
          .int()
          .min(metricListLimit.min)
          .max(metricListLimit.max)
          .optional()
          .describe(`Default ${metricListLimit.default}`),
        cursor: z.string().optional().describe('nextCursor of the page before'),
      }),
    },
    answer: {
      status: '200',
      description: 'A page; nextCursor is null on the last one',
      content: {
        'application/json': {
          schema: metricListAnswer,
          example: {
            completeThroughMs: startMs + 60_000,
            metrics: [
              {
                metricId: cpu,
                unit: 'ratio',
                serverCount: 2,
                seriesCount: 16,
                firstSeenMs: startMs,
                lastSeenMs: startMs + 60_000,
              },
            ],
            nextCursor: null,
          },
        },
      },
    },
    errors: listErrors,
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
          .enum(metricOrders)
          .optional()
          .describe(
            '`serverId` (default), `top` or `bottom` by the value of the whole range, or an aggregation and `:desc` (default) or `:asc`',
          )
          .meta({ example: 'top' }),
        by: z.enum(aggregations).optional().describe('What `top` and `bottom` go by, default avg'),
        quantile: quantiles.describe('Of avg across all matching series, per step; at most 10'),
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
  {
    path: '/v1/metrics/{metricId}/summary',
    method: 'get',
    operationId: 'readMetricSummary',
    tag: 'ranges',
    summary: 'One metric of all servers put together, step by step',
    description:
      '`samples` is over every sample alike, `across` over one value per server and step (what `avg(metric)` means elsewhere), as are ' +
      'quantiles and the distribution. Series of one server are merged into its value unless `per=series`: filter by label where ' +
      'they are different things.',
    parameters: {
      path: z.object({ metricId }),
      query: z.object({
        ...rangeQuery,
        by: z.enum(aggregations).optional().describe("Which aggregation of a step is a server's value, default avg"),
        per: z.enum(summaryPers).optional().describe('One value per server (default) or per series'),
        quantile: quantiles.describe('At most 10; default 0.5 and 0.95; the word none for none, which is the quickest'),
        buckets: z
          .int()
          .min(bucketLimit.min)
          .max(bucketLimit.max)
          .optional()
          .describe(
            `Most buckets of the distribution, from 2 on, 0 for none; default ${bucketLimit.default}. Their width is the smallest power ` +
              'of two with which all values of the range fit',
          ),
        bounds: z
          .array(z.number())
          .min(2)
          .max(bucketLimit.max + 1)
          .optional()
          .describe('Bounds of the buckets instead, ascending')
          .meta({ example: [0, 0.5, 0.9, 1] }),
      }),
    },
    answer: {
      status: '200',
      description: 'The summary',
      content: {
        ...rangeContent(metricSummaryAnswer, {
          startMs,
          endMs: startMs + 60_000,
          stepMs: 60_000,
          completeThroughMs: startMs + 60_000,
          provisionalFromMs: null,
          metricId: cpu,
          unit: 'ratio',
          by: 'avg',
          per: 'server',
          matchedSeriesCount: 2,
          matchedServerCount: 2,
          samples: { ...exampleStatistics, sum: [54], count: [120] },
          across: exampleStatistics,
          quantiles: [{ quantile: 0.5, values: [0.45] }],
          distribution: { bounds: [0, 0.5, 1], counts: [[1], [1]], below: [0], above: [0] },
        }),
        'application/x-ndjson': {
          schema: { type: 'string', description: 'What is no column as the first line, then a line per step' },
        },
        'text/csv': { schema: { type: 'string', description: 'A line per step that has data' } },
      },
      headers: rangeHeaders,
    },
    errors: [...rangeErrors, 'too-many-minutes', 'metric-not-found'],
  },
  {
    path: '/v1/latest',
    method: 'get',
    operationId: 'readLatest',
    tag: 'ranges',
    summary: 'The newest closed value of each series, as a table of servers',
    parameters: {
      query: z.object({
        metricId: metricGlobs,
        label: labelFilter,
        query: z.string().optional().describe('Part of the server id, in any case'),
        agg: rangeQuery.agg,
        minutes: z
          .int()
          .min(minutesLimit.min)
          .max(minutesLimit.max)
          .optional()
          .describe('How many closed minutes to look back for a value, default 1'),
        per: z
          .enum(summaryPers)
          .optional()
          .describe(
            'A value per series (default), or one per server and metric: of its matching series those of its newest minute, merged',
          ),
        groupBy: z
          .string()
          .optional()
          .describe('Name of a label whose value is to be told of each server')
          .meta({ example: 'region' }),
      }),
    },
    answer: {
      status: '200',
      description: 'A column of each metric and labels, a slot a server',
      content: {
        ...rangeContent(latestAnswer, {
          completeThroughMs: startMs + 60_000,
          startMs,
          endMs: startMs + 60_000,
          servers: ['web-17', 'web-18'],
          series: [{ metricId: cpu, labels: {}, unit: 'ratio', minutesBack: [0, null], avg: [0.45, null] }],
        }),
        'application/x-ndjson': {
          schema: { type: 'string', description: 'Instants as the first line, then a line per value' },
        },
        'text/csv': { schema: { type: 'string', description: 'A line per value' } },
      },
      headers: rangeHeaders,
    },
    errors: [
      'parameter-invalid',
      'not-acceptable',
      'too-many-series',
      'too-many-points',
      'query-timeout',
      'overloaded',
      'stored-hour-unreadable',
      'store-unavailable',
    ],
  },
]
