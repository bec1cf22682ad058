/**
 * One POST /v1/samples: body in, verdict out. What the collector decided is a value; what kept it from deciding is a
 * thrown RetryableError. Durations in ms.
 *
 *   2xx                  accepted   the log has the data durably; some samples may be rejected
 *   415 schema-unknown   thrown     the collector is older than this agent: somebody will upgrade it
 *   400 413 415 422      refused    this body will never be accepted: sending it again is noise
 *   everything else      thrown     429, 5xx: overload; 401, 403, 404, 3xx: somebody will fix the setup
 *
 * node:http with an own agent rather than fetch: the connection is kept between requests 15 s apart (the agent heeds
 * the server's `Keep-Alive: timeout`), and close() ends it for certain, which fetch's global pool does not offer.
 */
import { Agent, type IncomingHttpHeaders, type IncomingMessage, type OutgoingHttpHeaders, request } from 'node:http'
import { Agent as TlsAgent, request as tlsRequest } from 'node:https'
import type { Clock } from '@minutely/lib/clock'
import type { ErrorId } from '@minutely/schema/error-catalogue'
import { avroContentType } from '@minutely/schema/sample-wire'
import { z } from 'zod'

export type Verdict =
  | { readonly kind: 'accepted'; readonly accepted: number | undefined; readonly rejected: readonly RejectedSamples[] }
  | { readonly kind: 'refused'; readonly status: 400 | 413 | 415 | 422; readonly message: string }

export interface RejectedSamples {
  readonly reason: string
  readonly count: number
  readonly metricId: string
  readonly detail: string
}

/** The collector could not be asked, or could not answer. Send the same again later. */
export class RetryableError extends Error {
  override readonly name = 'RetryableError'
  /** A short word for a metric: `network`, `timeout`, `schema-unknown`, `status-503`. */
  readonly reason: string
  /** What the server asked for. */
  readonly retryAfterMs: number | undefined

  constructor(message: string, options: { reason: string; retryAfterMs?: number | undefined; cause?: unknown }) {
    super(message, { cause: options.cause })
    this.reason = options.reason
    this.retryAfterMs = options.retryAfterMs
  }
}

export interface RequestBounds {
  readonly timeoutMs: number
  readonly signal: AbortSignal
}

export interface CollectorClient {
  /** @throws RetryableError */
  post(body: Buffer, bounds: RequestBounds): Promise<Verdict>
  /** GET /healthz. @throws RetryableError for any answer but 2xx. */
  checkHealth(bounds: RequestBounds): Promise<void>
  close(): void
}

/** An answer has at most 100 rejections; nobody may fill our memory with more. */
const answerBytesMax = 256 * 1024
const messageLengthMax = 500
/** A slip in a server's configuration must neither silence its agents for a day nor make them hammer it. */
const retryAfterMsMin = 1000
const retryAfterMsMax = 300_000

/** What we need of SamplesAnswer; looser, because a newer collector may know more reasons. */
const answerShape = z.object({
  accepted: z.number(),
  rejected: z.array(z.object({ reason: z.string(), count: z.number(), metricId: z.string(), detail: z.string() })),
})

/** Of an error's answer. */
const errorShape = z.object({ error: z.string(), message: z.string() })
const schemaUnknown = 'schema-unknown' satisfies ErrorId

export function createCollectorClient(url: string, deps: { clock: Clock }): CollectorClient {
  const isTls = url.startsWith('https:')
  const keptConnections = { keepAlive: true, maxSockets: 2 }
  const agent = isTls ? new TlsAgent(keptConnections) : new Agent(keptConnections)
  const send = isTls ? tlsRequest : request

  /** @throws RetryableError, whatever goes wrong before there is an answer. */
  async function ask({ path, body, ...options }: Question, { timeoutMs, signal }: RequestBounds): Promise<Answer> {
    const target = url + path
    const timeout = new AbortController()
    const cancel = deps.clock.schedule(timeoutMs, () => timeout.abort())
    try {
      const response = await new Promise<IncomingMessage>((resolve, reject) => {
        send(target, { ...options, agent, signal: AbortSignal.any([signal, timeout.signal]) })
          .on('response', resolve)
          .on('error', reject)
          .end(body)
      })
      return { status: response.statusCode ?? 0, headers: response.headers, text: await textOf(response) }
    } catch (error) {
      if (error instanceof RetryableError) throw error
      const { message } = error as Error
      if (timeout.signal.aborted) {
        const reason = 'timeout'
        throw new RetryableError(`${target} did not answer in ${timeoutMs} ms`, { reason, cause: error })
      }
      throw new RetryableError(`${target} cannot be reached: ${message}`, { reason: 'network', cause: error })
    } finally {
      cancel()
    }
  }

  return {
    async post(body, bounds) {
      const headers = { 'content-type': avroContentType, 'content-encoding': 'zstd', 'content-length': body.length }
      return verdictOf(await ask({ path: '/v1/samples', method: 'POST', headers, body }, bounds), deps.clock.nowMs())
    },
    async checkHealth(bounds) {
      const path = '/healthz'
      const { status, text } = await ask({ path, method: 'GET' }, bounds)
      if (status >= 200 && status < 300) return
      const reason = `status-${status}`
      throw new RetryableError(`${url}${path} answered ${status}: ${text.slice(0, messageLengthMax)}`, { reason })
    },
    close() {
      agent.destroy()
    },
  }
}

interface Question {
  readonly path: string
  readonly method: 'GET' | 'POST'
  readonly headers?: OutgoingHttpHeaders
  readonly body?: Buffer
}

interface Answer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly text: string
}

async function textOf(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  let length = 0
  for await (const chunk of response as AsyncIterable<Buffer>) {
    length += chunk.length
    if (length > answerBytesMax)
      throw new RetryableError(`the answer exceeds ${answerBytesMax} bytes`, { reason: 'network' })
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}

function verdictOf({ status, headers, text }: Answer, nowMs: number): Verdict {
  if (status >= 200 && status < 300) {
    const answer = answerShape.safeParse(parsedJson(text))
    // The status is the promise. An answer of another shape (a proxy's) takes nothing from it.
    if (!answer.success) return { kind: 'accepted', accepted: undefined, rejected: [] }
    return { kind: 'accepted', accepted: answer.data.accepted, rejected: answer.data.rejected }
  }
  const message = text.slice(0, messageLengthMax)
  const retryAfterMs = parseRetryAfter(headers['retry-after'], nowMs)
  if (status === 415) {
    const { data } = errorShape.safeParse(parsedJson(text))
    if (data?.error === schemaUnknown) {
      const problem = `the collector is older than this agent and cannot read what it sends, upgrade the collector`
      throw new RetryableError(`${problem}: ${data.message.slice(0, messageLengthMax)}`, {
        reason: schemaUnknown,
        retryAfterMs,
      })
    }
  }
  if (status === 400 || status === 413 || status === 415 || status === 422) return { kind: 'refused', status, message }
  throw new RetryableError(`the collector answered ${status}: ${message}`, { reason: `status-${status}`, retryAfterMs })
}

/** Seconds or an HTTP date, in ms from now, 1 s to 5 min; undefined if absent or unreadable. */
export function parseRetryAfter(header: string | undefined, nowMs: number): number | undefined {
  if (header === undefined || header.trim() === '') return undefined
  const isSeconds = /^\s*\d+(\.\d+)?\s*$/.test(header)
  const delayMs = isSeconds ? Number(header) * 1000 : Date.parse(header) - nowMs
  return Number.isNaN(delayMs) ? undefined : Math.min(Math.max(retryAfterMsMin, delayMs), retryAfterMsMax)
}

function parsedJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
