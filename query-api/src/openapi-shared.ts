/** What several routes of the OpenAPI document have in common: parameters, errors, headers and forms of ranges. */
import type { ErrorId } from '@minutely/schema/error-catalogue'
import { aggregations } from '@minutely/schema/query-wire'
import { z } from 'zod'
import type { ZodOpenApiContentObject } from 'zod-openapi'

export const startMs = 1_764_028_800_000
export const instant = z
  .string()
  .describe('ms since the epoch, RFC 3339 with an offset, `now`, or before now: `-15m` (units s, m, h, d, w)')

export const labelFilter = z
  .array(z.string().regex(/^[A-Za-z_][A-Za-z0-9_./-]*:./))
  .optional()
  .describe(
    'Label filters `name:value`, repeatable: values of one label are alternatives, labels add up. `*` in a value is any number of ' +
      'characters, a leading `!` turns it round (`cpu.mode:!idle`), `device:!*` is series without that label; `\\` before `*`, `!` or ' +
      '`\\` makes it plain. `label.<name>=<value>` is exactly that value',
  )
  .meta({ example: ['cpu.mode:user'] })
export const metricGlobs = z
  .array(z.string())
  .optional()
  .describe('Names or globs (`system.cpu.*`), repeated or comma-separated; default all')

export const rangeQuery = {
  from: instant.optional().meta({ example: '-1h' }),
  to: instant.optional().meta({ example: 'now' }),
  stepMs: z.int().multipleOf(60_000).optional().describe('Default: a round step that gives about 720 steps at most'),
  agg: z.array(z.enum(aggregations)).optional().describe('Repeated or comma-separated; default all five'),
  label: labelFilter,
}
export const rangeErrors: readonly ErrorId[] = [
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
export const rangeHeaders = {
  ETag: { schema: { type: 'string' as const }, description: 'Changes when the answer does, late data included' },
}
const exampleColumns = { min: [0.1, null], max: [0.9, null], avg: [0.45, null], sum: [27, null], count: [60, null] }
export const exampleAnswer = {
  startMs,
  endMs: startMs + 120_000,
  stepMs: 60_000,
  completeThroughMs: startMs + 60_000,
  provisionalFromMs: startMs + 60_000,
  series: [{ metricId: 'system.cpu.utilization', labels: { 'cpu.mode': 'user' }, ...exampleColumns }],
}

export function rangeContent(schema: z.ZodType, example: unknown): ZodOpenApiContentObject {
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
