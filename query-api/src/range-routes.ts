/**
 * HTTP of everything that is asked once and answered once: servers, metrics, ranges. Reads
 * parameters, runs the question, sets headers; what an answer holds is decided elsewhere.
 *
 * Each question runs under a signal that fires when its client goes away or the service stops, so that nothing is
 * computed for nobody.
 */
import type { Clock } from '@minutely/lib/clock'
import type { LiveReader } from '@minutely/lib/live/live-channel'
import { refuseOtherMethods } from '@minutely/lib/other-methods'
import type { Pool } from '@minutely/lib/postgres/pool'
import type { RecentRing } from '@minutely/lib/recent-ring/recent-ring'
import { ApiError } from '@minutely/schema/error-catalogue'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { chooseFormat } from './accept.ts'
import type { QueryConfig } from './config.ts'
import type { QueryMetrics } from './metrics.ts'
import { Parameters } from './parameters.ts'
import { answerFormats, encodeAnswer, etagOf, type RangeAnswer } from './range-answer.ts'
import type { PointBudget } from './range-limits.ts'
import { readMetricQuestion, readServerId, readServerQuestion } from './range-question.ts'
import { readMetric } from './read-metric.ts'
import { readRange } from './read-range.ts'
import { sendAnswer } from './send-answer.ts'
import { readSelector } from './series-selector.ts'
import { listMetrics, listServers, readServersQuestion, serverMetricsParameters, serversParameters } from './servers.ts'
import { inStoreSession, type StoreSession } from './store-session.ts'
import type { SealedStore } from './stored-minutes.ts'

export interface RouteDeps {
  readonly pool: Pool
  /** Writes annotations. */
  readonly annotator: Pool
  readonly live: LiveReader
  readonly ring: RecentRing
  readonly clock: Clock
  readonly metrics: QueryMetrics
  readonly budget: PointBudget
  readonly sealed?: SealedStore
  /** Fires when the service stops. */
  readonly stopping: AbortSignal
}

type ServerRequest = FastifyRequest<{ Params: { serverId: string } }>
type MetricRequest = FastifyRequest<{ Params: { metricId: string } }>

export function registerRangeRoutes(app: FastifyInstance, config: QueryConfig, deps: RouteDeps): void {
  const { live, ring, budget, clock, metrics } = deps
  const run = <T>(reply: FastifyReply, work: (session: StoreSession) => Promise<T>): Promise<T> =>
    inStoreSession(work, { signal: signalOf(reply, deps.stopping), timeoutMs: config.timeoutMs }, deps)
  const asked = (request: FastifyRequest) => ({ query: request.query, nowMs: clock.nowMs(), config })
  const send = (request: FastifyRequest, reply: FastifyReply, answer: RangeAnswer): FastifyReply => {
    metrics.points.inc(answer.matrix.count.length)
    const format = chooseFormat(request.headers.accept, answerFormats)
    const pieces = () => encodeAnswer(answer, format)
    const sent = { format, etag: etagOf(answer, format), pieces, release: () => answer.release() }
    return sendAnswer({ request, reply }, sent, { clock, answerTimeoutMs: config.answerTimeoutMs })
  }

  app.get('/v1/servers', async (request, reply) => {
    const question = readServersQuestion(new Parameters(request.query, serversParameters))
    return run(reply, (session) => listServers(question, session))
  })
  app.get('/v1/servers/:serverId/metrics', async (request: ServerRequest, reply) => {
    const selector = readSelector(new Parameters(request.query, serverMetricsParameters))
    const serverId = readServerId(request.params.serverId)
    return run(reply, (session) => listMetrics({ serverId, selector }, session))
  })
  app.get('/v1/servers/:serverId/series', async (request: ServerRequest, reply) => {
    chooseFormat(request.headers.accept, answerFormats)
    const question = readServerQuestion(request.params.serverId, asked(request))
    return send(
      request,
      reply,
      await run(reply, (session) => readRange(question, { session, ring, live, config, budget })),
    )
  })
  app.get('/v1/metrics/:metricId/series', async (request: MetricRequest, reply) => {
    chooseFormat(request.headers.accept, answerFormats)
    const question = readMetricQuestion(request.params.metricId, asked(request))
    return send(request, reply, await run(reply, (session) => readMetric(question, { session, ring, config, budget })))
  })
  for (const url of readingUrls) refuseOtherMethods(app, { url, allowed: 'GET, HEAD' })
  observe(app, metrics)
}

const readingUrls = [
  '/v1/servers',
  '/v1/servers/:serverId/metrics',
  '/v1/servers/:serverId/series',
  '/v1/metrics/:metricId/series',
]

/** Fires when the client goes away before its answer is out, or the service stops. */
export function signalOf(reply: FastifyReply, stopping: AbortSignal): AbortSignal {
  const gone = new AbortController()
  reply.raw.once('close', () => {
    if (!reply.raw.writableFinished) gone.abort(new ApiError('request-invalid', 'The client closed its connection'))
  })
  return AbortSignal.any([gone.signal, stopping])
}

/** Counts what was answered; a client that went away as 499. Live streams count when they end. */
function observe(app: FastifyInstance, metrics: QueryMetrics): void {
  app.addHook('onRequest', async (request, reply) => {
    const route = request.routeOptions.url ?? 'none'
    const stopTimer = metrics.durationSeconds.startTimer({ route })
    reply.raw.once('close', () => {
      const status = reply.raw.writableFinished ? reply.raw.statusCode : 499
      metrics.answers.inc({ route, status: String(status) })
      if (!route.endsWith('/live')) stopTimer()
    })
  })
}
