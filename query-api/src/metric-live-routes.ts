/**
 * Live stream of one metric across all servers: `status` at once and every 15 s, `minute` for each minute that is closed in all
 * partitions, put together (schema/src/live-wire.ts); `reset` when more was missed than is replayed.
 *
 * A viewer without Last-Event-ID begins with the newest closed minute, one with it goes on there. An id is the end of its minute,
 * as Postgres has it, so it is good at any query API. Each event is sent when the viewer has taken the one before it
 * (metric-feeds.ts): one that does not take it in time is dropped, one that is slow is behind, and nothing is held for it.
 */
import { refuseOtherMethods } from '@minutely/lib/other-methods'
import { minuteMs } from '@minutely/schema/limits'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { QueryConfig } from './config.ts'
import type { EventStream } from './event-stream.ts'
import type { LiveViewers } from './live-viewers.ts'
import type { MetricFeeds } from './metric-feeds.ts'
import type { MetricFollower } from './metric-follower.ts'
import { readMetricLiveQuestion } from './metric-live-question.ts'
import { type RouteDeps, signalOf } from './range-routes.ts'
import { inStoreSession } from './store-session.ts'

export interface MetricLiveRouteDeps extends RouteDeps {
  readonly viewers: LiveViewers
  readonly metricFeeds: MetricFeeds
}

type MetricLiveRequest = FastifyRequest<{ Params: { metricId: string } }>

const url = '/v1/metrics/:metricId/live'

export function registerMetricLiveRoutes(app: FastifyInstance, config: QueryConfig, deps: MetricLiveRouteDeps): void {
  const { viewers, metricFeeds, live } = deps
  // fastify would add a HEAD route of its own, whose stream would never end.
  app.get(url, { exposeHeadRoute: false }, async (request: MetricLiveRequest, reply) => {
    const question = readMetricLiveQuestion(request.params.metricId, request.query)
    viewers.assertRoom()
    const options = { signal: signalOf(reply, deps.stopping), timeoutMs: config.timeoutMs }
    const storedMs = await inStoreSession(
      async (session) => {
        const completeMs = await session.completeThroughMs()
        await metricFeeds.assertWatchable(question.metricId, session)
        return completeMs
      },
      options,
      deps,
    )
    viewers.assertRoom()
    reply.hijack()
    // Gone meanwhile: its close event has passed, and would end the stream never.
    if (reply.raw.destroyed) return
    const completeThroughMs = Math.max(storedMs, live.completeThroughMs())
    const since = sinceOf(request.headers['last-event-id'], completeThroughMs)
    const follower = metricFeeds.join(question, completeThroughMs, since.fromMs)
    const settledMs = (): number => follower.sentMs
    const stream = viewers.open(reply.raw, {
      kind: 'metric',
      completeThroughMs,
      settledMs,
      onEnd: () => follower.stop(),
    })
    if (since.reason !== undefined) {
      await stream.sendPaced({ event: 'reset', id: completeThroughMs, data: { reason: since.reason } })
    }
    void follow(follower, stream, request)
  })
  refuseOtherMethods(app, { url, allowed: 'GET' })
}

/** Ends with the stream. */
async function follow(follower: MetricFollower, stream: EventStream, request: FastifyRequest): Promise<void> {
  try {
    for await (const event of follower.events()) await stream.sendPaced(event)
  } catch (error) {
    if (stream.ended) return
    // The answer has begun, so that it can only be cut off; the viewer reconnects and goes on where it was.
    request.log.warn({ err: error }, 'the minutes of a metric could not be read for a live viewer; it was dropped')
    stream.drop('replay-failed')
  }
}

/** Of another query API that is a moment ahead, or of one whose clock was. */
const aheadMs = 10 * minuteMs

interface Since {
  readonly fromMs?: number
  /** Why the id is not gone by. */
  readonly reason?: string
}

function sinceOf(lastEventId: string | string[] | undefined, completeThroughMs: number): Since {
  if (typeof lastEventId !== 'string' || lastEventId === '') return {}
  const instantMs = /^\d{1,15}$/.test(lastEventId) ? Number(lastEventId) : Number.NaN
  if (Number.isNaN(instantMs) || instantMs > completeThroughMs + aheadMs) {
    return { reason: 'Last-Event-ID is not an id of this stream' }
  }
  return { fromMs: Math.floor(instantMs / minuteMs) * minuteMs }
}
