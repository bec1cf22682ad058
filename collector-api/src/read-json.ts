/**
 * Bytes -> one of the two JSON forms, or an error that says where and what to do. What is inside series and samples is
 * judged later, one by one (accept/): nothing here refuses a body for one bad sample.
 *
 * `__proto__` as a key is harmless: JSON.parse makes it an own property, and nothing behind this copies keys onto ordinary
 * objects.
 */
import { isUtf8 } from 'node:buffer'
import { ApiError } from '@minutely/schema/error-catalogue'
import { findJsonExcess } from './json-bounds.ts'
import { findJsonFault } from './json-fault.ts'

/** A body as it was sent: every field may be anything. */
export type JsonBody =
  | {
      readonly kind: 'columns'
      readonly serverId: unknown
      readonly startMs: unknown
      readonly stepMs: unknown
      readonly series: readonly unknown[]
    }
  | { readonly kind: 'rows'; readonly samples: readonly unknown[] }

/** @throws ApiError body-unreadable, or body-too-large for one whose structure is. */
export function readJson(body: Buffer): JsonBody {
  const parsed = parse(body)
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) {
    throw unreadable(`The body is JSON but ${Array.isArray(parsed) ? 'an array' : 'no object'}; ${shapesHelp}`)
  }
  const { serverId, startMs, stepMs, series, samples } = parsed as Record<string, unknown>
  if (series !== undefined && samples !== undefined) {
    throw unreadable(`The body has both "series" and "samples": send two requests; ${shapesHelp}`)
  }
  if (Array.isArray(series)) return { kind: 'columns', serverId, startMs, stepMs, series }
  if (Array.isArray(samples)) return { kind: 'rows', samples }
  throw unreadable(`The body has neither an array "series" nor an array "samples"; ${shapesHelp}`)
}

const shapesHelp =
  'expected {"serverId","startMs","series":[{"metricId","values":[...]}]} or ' +
  '{"samples":[{"serverId","metricId","value","ts"}]}'

function parse(body: Buffer): unknown {
  const excess = findJsonExcess(body)
  if (excess !== null) {
    const { kind, max, position } = excess
    if (kind === 'depth')
      throw unreadable(`Byte ${position} is nested deeper than ${max} levels; ${shapesHelp}`, excess)
    throw new ApiError('body-too-large', `The body has more than ${max} ${excessNames[kind]}: send it in parts`, {
      details: excess,
    })
  }
  if (!isUtf8(body)) throw unreadable('The body is not UTF-8, which JSON has to be')
  const text = body.toString('utf8')
  try {
    return JSON.parse(text)
  } catch (error) {
    const fault = findJsonFault(text)
    if (fault === null) throw unreadable(`The body is not JSON: ${(error as Error).message}`)
    throw unreadable(`The body is not JSON: at character ${fault.position}, ${fault.problem}`, {
      position: fault.position,
    })
  }
}

const excessNames = { containers: 'objects and arrays', elements: 'values', keys: 'different keys' } as const

function unreadable(message: string, details?: unknown): ApiError {
  return new ApiError('body-unreadable', message, { details })
}
