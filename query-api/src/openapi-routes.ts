/** What the OpenAPI document says of each route: parameters, bodies, answers, examples and the errors that can come. */
import type { ErrorId } from '@minutely/schema/error-catalogue'
import { avroContentType, columnsRequest, rowsRequest, samplesAnswer } from '@minutely/schema/sample-wire'
import { z } from 'zod'
import type { ZodOpenApiContentObject, ZodOpenApiHeadersObject, ZodOpenApiParameters } from 'zod-openapi'
import { annotationRoutes } from './openapi-annotation-routes.ts'
import { fleetRoutes } from './openapi-fleet-routes.ts'
import { liveRoutes } from './openapi-live-routes.ts'
import { readingRoutes } from './openapi-reading-routes.ts'

export interface RouteDescription {
  readonly path: string
  readonly method: 'get' | 'post' | 'delete'
  readonly operationId: string
  readonly tag: 'samples' | 'ranges' | 'live' | 'annotations' | 'operation'
  readonly summary: string
  readonly description?: string
  readonly parameters?: ZodOpenApiParameters
  readonly body?: ZodOpenApiContentObject
  readonly answer: {
    readonly status: `${2}${string}`
    readonly description: string
    /** Absent: none at all, 204. */
    readonly content?: ZodOpenApiContentObject
    readonly headers?: ZodOpenApiHeadersObject
  }
  readonly errors: readonly ErrorId[]
}

const startMs = 1_764_028_800_000

const samples: RouteDescription = {
  path: '/v1/samples',
  method: 'post',
  operationId: 'postSamples',
  tag: 'samples',
  summary: 'Send samples',
  description:
    'Content-Encoding gzip, zstd or identity; at most 1 MiB compressed and 8 MiB decoded. Answered once the samples are ' +
    'durable. A bad sample is refused alone and listed in `rejected`. Sending a sample twice is harmless.',
  body: {
    'application/json': {
      schema: z.union([columnsRequest, rowsRequest]),
      examples: {
        columns: {
          value: {
            serverId: 'web-17',
            startMs,
            stepMs: 1000,
            series: [{ metricId: 'system.cpu.utilization', labels: { 'cpu.mode': 'user' }, values: [0.31, null, 0.3] }],
          },
        },
        rows: { value: { samples: [{ serverId: 'web-17', metricId: 'room.temperature', value: 21.5, ts: startMs }] } },
      },
    },
    [avroContentType]: {
      schema: {
        type: 'string',
        description: 'Avro single-object encoding of SampleBatch (schema/avro/sample-batch.avsc)',
      },
    },
  },
  answer: {
    status: '202',
    description: 'Durable',
    content: {
      'application/json': {
        schema: samplesAnswer,
        examples: {
          all: { value: { accepted: 2, rejected: [] } },
          partly: {
            value: {
              accepted: 1,
              rejected: [
                {
                  metricId: 'room.temperature',
                  reason: 'value-not-a-number',
                  count: 1,
                  detail: 'samples[1] of server "web-18": a value must be a number, not "21.5"',
                  firstIndex: 1,
                  serverId: 'web-18',
                },
              ],
            },
          },
        },
      },
    },
  },
  errors: [
    'body-unreadable',
    'body-not-decompressible',
    'body-too-large',
    'content-type-unsupported',
    'schema-unknown',
    'content-encoding-unsupported',
    'nothing-acceptable',
    'overloaded',
    'log-unavailable',
    'log-full',
    'disk-full',
  ],
}

const json = (schema: z.ZodType, example: unknown): ZodOpenApiContentObject => ({
  'application/json': { schema, example },
})

const operation: readonly RouteDescription[] = [
  {
    path: '/v1/openapi.json',
    method: 'get',
    operationId: 'readOpenApi',
    tag: 'operation',
    summary: 'This document',
    answer: {
      status: '200',
      description: 'OpenAPI 3.1',
      content: json(z.looseObject({ openapi: z.string() }), { openapi: '3.1.0' }),
    },
    errors: [],
  },
  {
    path: '/v1/docs',
    method: 'get',
    operationId: 'browseDocs',
    tag: 'operation',
    summary: 'This document as a page',
    answer: { status: '200', description: 'A page', content: { 'text/html': { schema: { type: 'string' } } } },
    errors: [],
  },
  {
    path: '/healthz',
    method: 'get',
    operationId: 'readHealth',
    tag: 'operation',
    summary: 'Whether the process lives',
    answer: {
      status: '200',
      description: 'It does',
      content: json(z.object({ status: z.literal('ok') }), { status: 'ok' }),
    },
    errors: [],
  },
  {
    path: '/readyz',
    method: 'get',
    operationId: 'readReadiness',
    tag: 'operation',
    summary: 'Whether the process can serve; 503 with what is missing when not',
    answer: {
      status: '200',
      description: 'It can',
      content: json(z.object({ status: z.literal('ready') }), { status: 'ready' }),
    },
    errors: [],
  },
  {
    path: '/metrics',
    method: 'get',
    operationId: 'readMetrics',
    tag: 'operation',
    summary: "The process' own figures for Prometheus",
    answer: {
      status: '200',
      description: 'Text exposition format',
      content: { 'text/plain': { schema: { type: 'string' } } },
    },
    errors: [],
  },
]

export const routeDescriptions: readonly RouteDescription[] = [
  samples,
  ...readingRoutes,
  ...liveRoutes,
  ...fleetRoutes,
  ...annotationRoutes,
  ...operation,
]
