/**
 * The query API over HTTP, from the same origin. Whatever goes wrong is an ApiFailure whose message says what to do: the
 * API's own words when it answered, ours when it did not.
 */
import type {
  Aggregation,
  LatestAnswer,
  MetricListAnswer,
  MetricsAnswer,
  SeriesAnswer,
  ServersAnswer,
  StorageAnswer,
} from '@minutely/schema/query-wire'
import type { Window } from './time-range.ts'

/** Longer than the API gives itself (10 s), so that its own answer arrives first. */
const answerMsMax = 15_000

export class ApiFailure extends Error {
  override readonly name = 'ApiFailure'
  /** An id of docs/errors.md, or `unreachable`. */
  readonly id: string
  /** 0 when there was no answer. */
  readonly status: number
  /** What the API adds for programs; each id has its own. */
  readonly details: unknown

  constructor(id: string, message: string, { status, details }: { status: number; details?: unknown }) {
    super(message)
    this.id = id
    this.status = status
    this.details = details
  }

  /** Asking again may help: nobody answered, or the service said so. */
  get isPassing(): boolean {
    return this.status === 0 || this.status === 429 || this.status >= 500
  }
}

/** When to ask again after an error by itself: what will not change is not asked again. */
export function retryAfter(error: Error, retryMs: number): number | false {
  return error instanceof ApiFailure && !error.isPassing ? false : retryMs
}

export function readServers(
  question: { query: string; limit: number; cursor: string | null; isCounted?: boolean },
  signal: AbortSignal,
): Promise<ServersAnswer> {
  const params = new URLSearchParams({ limit: String(question.limit) })
  if (question.query !== '') params.set('query', question.query)
  if (question.cursor !== null) params.set('cursor', question.cursor)
  if (question.isCounted === false) params.set('seriesCount', 'no')
  return read(`/v1/servers?${params}`, signal)
}

export function readMetrics(serverId: string, signal: AbortSignal, metricId?: string): Promise<MetricsAnswer> {
  const search = metricId === undefined ? '' : `?${new URLSearchParams({ metricId })}`
  return read(`/v1/servers/${encodeURIComponent(serverId)}/metrics${search}`, signal)
}

export function readMetricList(
  question: { query: string; limit: number; cursor: string | null },
  signal: AbortSignal,
): Promise<MetricListAnswer> {
  const params = new URLSearchParams({ limit: String(question.limit) })
  if (question.query !== '') params.set('query', question.query)
  if (question.cursor !== null) params.set('cursor', question.cursor)
  return read(`/v1/metrics?${params}`, signal)
}

export function readSeries(
  question: { serverId: string; metricIds: readonly string[]; window: Window },
  signal: AbortSignal,
): Promise<SeriesAnswer> {
  const { fromMs, toMs, stepMs } = question.window
  const params = new URLSearchParams({ from: String(fromMs), to: String(toMs), stepMs: String(stepMs) })
  for (const metricId of question.metricIds) params.append('metricId', metricId)
  return read(`/v1/servers/${encodeURIComponent(question.serverId)}/series?${params}`, signal)
}

/** The newest closed value of one metric of each server, its series merged. */
export function readLatest(
  question: {
    metricId: string
    aggregation: Aggregation
    labels: readonly string[]
    groupBy: string | undefined
    minutes: number
  },
  signal: AbortSignal,
): Promise<LatestAnswer> {
  const { metricId, aggregation, labels, groupBy, minutes } = question
  const params = new URLSearchParams({ metricId, agg: aggregation, minutes: String(minutes), per: 'server' })
  for (const label of labels) params.append('label', label)
  if (groupBy !== undefined) params.set('groupBy', groupBy)
  return read(`/v1/latest?${params}`, signal)
}

export function readStorage(signal: AbortSignal): Promise<StorageAnswer> {
  return read('/v1/storage', signal)
}

export function liveUrl(serverId: string): string {
  return `/v1/servers/${encodeURIComponent(serverId)}/live`
}

export const fleetLiveUrl = '/v1/live'

export async function read<T>(path: string, signal: AbortSignal): Promise<T> {
  return ask(path, { headers: { accept: 'application/json' } }, signal)
}

/** An answer without a body is undefined. */
export async function ask<T>(path: string, request: RequestInit, signal?: AbortSignal): Promise<T> {
  let response: Response
  try {
    const timeout = AbortSignal.timeout(answerMsMax)
    response = await fetch(path, {
      ...request,
      signal: signal === undefined ? timeout : AbortSignal.any([signal, timeout]),
    })
  } catch (cause) {
    if (signal?.aborted) throw cause
    const slow = cause instanceof DOMException && cause.name === 'TimeoutError'
    const problem = slow ? `did not answer within ${answerMsMax / 1000} s` : 'cannot be reached'
    throw new ApiFailure('unreachable', `Minutely at ${location.host} ${problem}. Is it still running?`, { status: 0 })
  }
  const { status } = response
  if (status === 204) return undefined as T
  const body: unknown = await response.json().catch(() => undefined)
  if (response.ok && body !== undefined) return body as T
  const { error, message, details } = (body ?? {}) as { error?: unknown; message?: unknown; details?: unknown }
  if (typeof error === 'string' && typeof message === 'string')
    throw new ApiFailure(error, message, { status, details })
  throw new ApiFailure('unreadable', `${location.host} answered ${status} without saying why`, { status })
}
