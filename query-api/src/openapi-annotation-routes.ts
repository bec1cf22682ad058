/** Annotations, for the OpenAPI document. */
import { annotation, annotationsAnswer, annotationTag, newAnnotation } from '@minutely/schema/annotation-wire'
import { metricId, serverId } from '@minutely/schema/sample-wire'
import { z } from 'zod'
import { annotationsLimit } from './annotations.ts'
import type { RouteDescription } from './openapi-routes.ts'
import { instant, startMs } from './openapi-shared.ts'

const noted = { startMs, endMs: startMs + 600_000, text: 'release 4.2', tags: ['release'], serverGlob: 'web-*' }
const example = { annotationId: 7, ...noted, metricGlob: null, createdMs: startMs + 1000 }

export const annotationRoutes: readonly RouteDescription[] = [
  {
    path: '/v1/annotations',
    method: 'get',
    operationId: 'listAnnotations',
    tag: 'annotations',
    summary: 'What was noted beside the charts, sorted by start, page by page',
    parameters: {
      query: z.object({
        from: instant.optional().describe('Those that end after it; default all'),
        to: instant.optional().describe('Those that start before it; default all'),
        serverId: serverId.optional().describe('Those about this server'),
        metricId: metricId.optional().describe('Those about this metric'),
        tag: z.array(annotationTag).optional().describe('Those with one of these tags'),
        limit: z
          .int()
          .min(annotationsLimit.min)
          .max(annotationsLimit.max)
          .optional()
          .describe(`Default ${annotationsLimit.default}`),
        cursor: z.string().optional().describe('nextCursor of the page before'),
      }),
    },
    answer: {
      status: '200',
      description: 'A page; nextCursor is null on the last one',
      content: {
        'application/json': { schema: annotationsAnswer, example: { annotations: [example], nextCursor: null } },
      },
    },
    errors: ['parameter-invalid', 'range-invalid', 'query-timeout', 'store-unavailable'],
  },
  {
    path: '/v1/annotations',
    method: 'post',
    operationId: 'addAnnotation',
    tag: 'annotations',
    summary: 'Note something beside the charts',
    description: 'An instant, or a half-open range. Each request adds one: a repeated one adds another.',
    body: { 'application/json': { schema: newAnnotation, example: noted } },
    answer: {
      status: '201',
      description: 'Kept',
      content: { 'application/json': { schema: annotation, example } },
      headers: { Location: { schema: { type: 'string' }, description: 'What to DELETE' } },
    },
    errors: [
      'annotation-invalid',
      'parameter-invalid',
      'request-invalid',
      'body-too-large',
      'content-type-unsupported',
      'too-many-annotations',
      'query-timeout',
      'store-unavailable',
    ],
  },
  {
    path: '/v1/annotations/{annotationId}',
    method: 'delete',
    operationId: 'removeAnnotation',
    tag: 'annotations',
    summary: 'Remove an annotation',
    parameters: { path: z.object({ annotationId: z.int().min(1) }) },
    answer: { status: '204', description: 'Gone' },
    errors: ['parameter-invalid', 'request-invalid', 'annotation-not-found', 'query-timeout', 'store-unavailable'],
  },
]
