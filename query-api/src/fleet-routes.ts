/**
 * HTTP of what is asked across servers: the list of metrics, a metric's range, its summary, latest values. Each question runs
 * under a signal that fires when its client goes away or the service stops (range-routes.ts).
 */
import { refuseOtherMethods } from '@minutely/lib/other-methods'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { chooseFormat } from './accept.ts'
import type { QueryConfig } from './config.ts'
import { encodeLatest, latestEtag } from './latest-answer.ts'
import { listAllMetrics, metricListParameters, readMetricListQuestion } from './metrics-list.ts'
import { Parameters } from './parameters.ts'
import { type AnswerFormat, answerFormats } from './range-answer.ts'
import { type RouteDeps, signalOf } from './range-routes.ts'
import { latestParameters, readLatest, readLatestQuestion } from './read-latest.ts'
import { readSummary } from './read-summary.ts'
import { sendAnswer } from './send-answer.ts'
import { inStoreSession, type StoreSession } from './store-session.ts'
import { encodeSummary, summaryEtag } from './summary-answer.ts'
import { readSummaryQuestion } from './summary-question.ts'

type MetricRequest = FastifyRequest<{ Params: { metricId: string } }>

/** How an answer becomes text. */
interface Encoding<A> {
  readonly etag: (answer: A, format: AnswerFormat) => string
  readonly encode: (answer: A, format: AnswerFormat) => Iterable<string | Buffer>
}

export function registerFleetRoutes(app: FastifyInstance, config: QueryConfig, deps: RouteDeps): void {
  const { ring, budget, clock, metrics } = deps
  const run = <T>(reply: FastifyReply, work: (session: StoreSession) => Promise<T>): Promise<T> =>
    inStoreSession(work, { signal: signalOf(reply, deps.stopping), timeoutMs: config.timeoutMs }, deps)
  const send = <A extends { release(): void }>(
    exchange: { request: FastifyRequest; reply: FastifyReply },
    answer: A,
    { etag, encode }: Encoding<A>,
  ): FastifyReply => {
    const format = chooseFormat(exchange.request.headers.accept, answerFormats)
    const pieces = () => encode(answer, format)
    const sent = { format, etag: etag(answer, format), pieces, release: () => answer.release() }
    return sendAnswer(exchange, sent, { clock, answerTimeoutMs: config.answerTimeoutMs })
  }

  app.get('/v1/metrics', async (request, reply) => {
    const question = readMetricListQuestion(new Parameters(request.query, metricListParameters))
    return run(reply, (session) => listAllMetrics(question, session))
  })
  app.get('/v1/metrics/:metricId/summary', async (request: MetricRequest, reply) => {
    chooseFormat(request.headers.accept, answerFormats)
    const asked = { query: request.query, nowMs: clock.nowMs(), config }
    const question = readSummaryQuestion(request.params.metricId, asked)
    const answer = await run(reply, (session) => readSummary(question, { session, ring, config, budget }))
    metrics.points.inc(answer.matchedSeriesCount * question.range.stepCount)
    return send({ request, reply }, answer, { etag: summaryEtag, encode: encodeSummary })
  })
  app.get('/v1/latest', async (request, reply) => {
    chooseFormat(request.headers.accept, answerFormats)
    const question = readLatestQuestion(new Parameters(request.query, latestParameters))
    const answer = await run(reply, (session) =>
      readLatest(question, { session, config, budget, nowMs: clock.nowMs() }),
    )
    metrics.points.inc(answer.values.count.length)
    return send({ request, reply }, answer, { etag: latestEtag, encode: encodeLatest })
  })
  for (const url of ['/v1/metrics', '/v1/metrics/:metricId/summary', '/v1/latest']) {
    refuseOtherMethods(app, { url, allowed: 'GET, HEAD' })
  }
}
