/**
 * The query API over HTTP, from the same origin. Whatever goes wrong is an ApiFailure whose message says what to do: the
 * API's own words when it answered, ours when it did not.
 */
import type {
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

  constructor(id: string, message: string, status: number) {
    super(message)
    this.id = id
    this.status = status
  }

  /** Asking again may help: nobody answered, or the service said so. */
  get isPassing(): boolean {
    return this.status === 0 || this.status === 429 || this.status >= 500
  }
}

export function readServers(
  question: { query: string; limit: number; cursor: string | null },
  signal: AbortSignal,
): Promise<ServersAnswer> {
  const params = new URLSearchParams({ limit: String(question.limit) })
  if (question.query !== '') params.set('query', question.query)
  if (question.cursor !== null) params.set('cursor', question.cursor)
  return read(`/v1/servers?${params}`, signal)
}

export function readMetrics(serverId: string, signal: AbortSignal): Promise<MetricsAnswer> {
  return read(`/v1/servers/${encodeURIComponent(serverId)}/metrics`, signal)
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

export function readStorage(signal: AbortSignal): Promise<StorageAnswer> {
  return read('/v1/storage', signal)
}

export function liveUrl(serverId: string): string {
  return `/v1/servers/${encodeURIComponent(serverId)}/live`
}

async function read<T>(path: string, signal: AbortSignal): Promise<T> {
  let response: Response
  try {
    response = await fetch(path, {
      headers: { accept: 'application/json' },
      signal: AbortSignal.any([signal, AbortSignal.timeout(answerMsMax)]),
    })
  } catch (cause) {
    if (signal.aborted) throw cause
    const slow = cause instanceof DOMException && cause.name === 'TimeoutError'
    const problem = slow ? `did not answer within ${answerMsMax / 1000} s` : 'cannot be reached'
    throw new ApiFailure('unreachable', `Minutely at ${location.host} ${problem}. Is it still running?`, 0)
  }
  const body: unknown = await response.json().catch(() => undefined)
  if (response.ok && body !== undefined) return body as T
  const { error, message } = (body ?? {}) as { error?: unknown; message?: unknown }
  if (typeof error === 'string' && typeof message === 'string') throw new ApiFailure(error, message, response.status)
  throw new ApiFailure('unreadable', `${location.host} answered ${response.status} without saying why`, response.status)
}
