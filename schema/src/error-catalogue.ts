/**
 * Every error a service answers with: `{"error":"<id>","message":"...","details":...}`. An id never changes its
 * meaning; clients switch on it and docs/errors.md explains each (tidy.test.ts checks that it does).
 */
import { z } from 'zod'

export const errorCatalogue = {
  // POST /v1/samples
  'body-unreadable': { status: 400, title: 'The body could not be parsed at all' },
  'body-not-decompressible': { status: 400, title: 'The body does not match its Content-Encoding' },
  'body-too-large': { status: 413, title: 'The body is larger than the limit, compressed or decoded' },
  'content-type-unsupported': { status: 415, title: 'The Content-Type is neither JSON nor Avro' },
  'schema-unknown': { status: 415, title: 'The Avro body was written with a schema this collector does not know' },
  'content-encoding-unsupported': { status: 415, title: 'The Content-Encoding is none of gzip, zstd, identity' },
  'nothing-acceptable': { status: 422, title: 'The body was read but not one sample in it could be accepted' },
  overloaded: { status: 503, title: 'The process has as much in flight as it may hold' },
  'log-unavailable': { status: 503, title: 'The sample log did not confirm in time' },
  'log-full': { status: 503, title: 'The sample log has reached its size limit because its readers lag' },
  'disk-full': { status: 503, title: 'The disk of the data folder has too little room left' },
  // reading
  'parameter-invalid': { status: 400, title: 'A query parameter is missing, unknown or malformed' },
  'range-invalid': { status: 400, title: 'The time range is empty, reversed or not on the step' },
  'too-many-points': { status: 422, title: 'The answer would hold more points than one answer may' },
  'step-too-fine': { status: 422, title: 'Of all of the range only coarser steps have data' },
  'too-many-series': { status: 422, title: 'The question matches more series than one answer may' },
  'too-many-minutes': { status: 422, title: 'The question would read more stored minutes than one question may' },
  'server-not-found': { status: 404, title: 'No server of this id has sent samples' },
  'metric-not-found': { status: 404, title: 'No server has sent this metric' },
  'not-acceptable': { status: 406, title: 'The Accept header names no format this answer exists in' },
  'query-timeout': { status: 503, title: 'The question took longer than a query may' },
  'stored-hour-unreadable': { status: 500, title: 'An hour of a series is stored, but cannot be read' },
  'too-many-viewers': { status: 503, title: 'This process serves as many live viewers as it may' },
  // annotations
  'annotation-invalid': { status: 400, title: 'The body is no annotation' },
  'annotation-not-found': { status: 404, title: 'There is no annotation of this id' },
  'too-many-annotations': { status: 422, title: 'As many annotations are kept as may be' },
  // everywhere
  'route-not-found': { status: 404, title: 'No such path' },
  'method-not-allowed': { status: 405, title: 'The path exists but not with this method' },
  'request-invalid': { status: 400, title: 'The request is not valid HTTP or exceeds a limit of the server' },
  'request-timeout': { status: 408, title: 'The request did not arrive in time' },
  'headers-too-large': { status: 431, title: 'The headers are larger than the limit' },
  'host-not-allowed': { status: 421, title: 'The Host header is not a name of this server' },
  'store-unavailable': { status: 503, title: 'Postgres does not answer' },
  'internal-error': { status: 500, title: 'A defect of Minutely' },
} as const satisfies Record<string, { status: number; title: string }>

export type ErrorId = keyof typeof errorCatalogue

export const errorAnswer = z
  .object({
    error: z.enum(Object.keys(errorCatalogue) as [ErrorId, ...ErrorId[]]),
    message: z.string().describe('What was wrong, with numbers, and what to do'),
    details: z.unknown().optional(),
  })
  .meta({ id: 'ErrorAnswer' })

export interface ApiErrorOptions {
  readonly details?: unknown
  /** Seconds, for 429 and 503. */
  readonly retryAfterS?: number
  readonly cause?: unknown
}

/** Thrown by routes; lib/http-server.ts turns it into the answer. */
export class ApiError extends Error {
  override readonly name = 'ApiError'
  readonly id: ErrorId
  readonly status: number
  readonly details: unknown
  readonly retryAfterS: number | undefined

  constructor(id: ErrorId, message: string, options: ApiErrorOptions = {}) {
    super(message, { cause: options.cause })
    this.id = id
    this.status = errorCatalogue[id].status
    this.details = options.details
    this.retryAfterS = options.retryAfterS
  }
}
