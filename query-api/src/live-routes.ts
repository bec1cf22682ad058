/**
 * Live streams. A server's: `status` at once and every 15 s, `minute` for each of its minutes as it grows and when it
 * closes. The fleet's: `status` and `progress`.
 *
 * Order when a viewer connects: listen to the channel first (events wait in a bounded list), then read Postgres for what
 * Last-Event-ID says was missed, send that, then what waited, then pass on. So nothing falls between replay and live;
 * what comes twice replaces itself.
 *
 * Late data merged into a minute older than the replay is not announced: a viewer that reconnects gets current minutes
 * right, and old ones when it reads their range again (its ETag will have changed).
 */
import type { LiveChannel } from '@minutely/lib/live-channel'
import type { LiveMinute } from '@minutely/schema/query-wire'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { QueryConfig } from './config.ts'
import { assertServerExists } from './dictionary.ts'
import type { EventStream, StreamEvent } from './event-stream.ts'
import { readReplay } from './live-replay.ts'
import type { LiveViewers } from './live-viewers.ts'
import { Parameters } from './parameters.ts'
import { readServerId } from './range-question.ts'
import { type RouteDeps, signalOf } from './range-routes.ts'
import { liveTenantId } from './read-range.ts'
import { inStoreSession, type StoreSession } from './store-session.ts'

/** Events that may wait for a replay to be sent; at an event every 2 s and open minute, minutes of it. */
const waitingEventsMax = 500

export interface LiveRouteDeps extends RouteDeps {
  readonly viewers: LiveViewers
}

export function registerLiveRoutes(app: FastifyInstance, config: QueryConfig, deps: LiveRouteDeps): void {
  const { viewers } = deps
  const run = <T>(reply: FastifyReply, work: (session: StoreSession) => Promise<T>): Promise<T> =>
    inStoreSession(work, { signal: signalOf(reply, deps.stopping), timeoutMs: config.timeoutMs }, deps)
  // fastify would add a HEAD route of its own, whose stream would never end.
  const options = { exposeHeadRoute: false }

  app.get('/v1/live', options, async (request, reply) => {
    new Parameters(request.query, [])
    viewers.assertRoom()
    const storedMs = await run(reply, (session) => session.completeThroughMs())
    viewers.assertRoom()
    reply.hijack()
    if (reply.raw.destroyed) return
    viewers.open(reply.raw, { kind: 'fleet', completeThroughMs: Math.max(storedMs, deps.live.completeThroughMs()) })
  })

  app.get(
    '/v1/servers/:serverId/live',
    options,
    async (request: FastifyRequest<{ Params: { serverId: string } }>, reply) => {
      new Parameters(request.query, [])
      const serverId = readServerId(request.params.serverId)
      viewers.assertRoom()
      const waiting = new WaitingEvents(deps.live, serverId)
      try {
        const start = await run(reply, (session) => readStart({ serverId, request }, { session, config, deps }))
        viewers.assertRoom()
        reply.hijack()
        // Gone meanwhile: its close event has passed, and would end the stream never.
        if (reply.raw.destroyed) return waiting.stop()
        const { completeThroughMs, first } = start
        const stream = viewers.open(reply.raw, { kind: 'server', completeThroughMs, onEnd: () => waiting.stop() })
        await waiting.startSending(stream, first)
      } catch (error) {
        waiting.stop()
        throw error
      }
    },
  )
}

/** What a new viewer gets before the live events. */
async function readStart(
  asked: { serverId: string; request: FastifyRequest },
  context: { session: StoreSession; config: QueryConfig; deps: LiveRouteDeps },
): Promise<{ completeThroughMs: number; first: StreamEvent[] }> {
  const { serverId, request } = asked
  const { session, config, deps } = context
  const completeThroughMs = Math.max(await session.completeThroughMs(), deps.live.completeThroughMs())
  const open = deps.live.openMinutes({ tenantId: liveTenantId, serverId })
  if (open.length === 0) await assertServerExists(session.client, serverId)
  const lastEventId = request.headers['last-event-id']
  const openEvents = open.map(minuteEvent)
  if (typeof lastEventId !== 'string' || lastEventId === '') return { completeThroughMs, first: openEvents }
  const replay = await readReplay(
    { serverId, lastEventId, completeThroughMs, nowMs: deps.clock.nowMs() },
    { session, config },
  )
  if (replay.kind === 'reset') {
    return {
      completeThroughMs,
      first: [{ event: 'reset', id: completeThroughMs, data: { reason: replay.reason } }, ...openEvents],
    }
  }
  // Stored minutes last: of a minute that is in both, the stored one stays.
  return { completeThroughMs, first: [...openEvents, ...replay.minutes.map(minuteEvent)] }
}

function minuteEvent(minute: LiveMinute): StreamEvent {
  // Before anything is complete there is nothing to resume from but the minute itself.
  return { event: 'minute', id: minute.completeThroughMs || minute.minuteMs, data: minute }
}

/** The channel's events of one server: kept until the stream is ready for them, then passed on. */
class WaitingEvents {
  readonly #unwatch: () => void
  #waiting: LiveMinute[] | undefined = []
  #overflowed = false
  #stream: EventStream | undefined

  constructor(live: LiveChannel, serverId: string) {
    this.#unwatch = live.watch({ tenantId: liveTenantId, serverId }, (minute) => this.#take(minute))
  }

  async startSending(stream: EventStream, first: readonly StreamEvent[]): Promise<void> {
    for (const event of first) await stream.sendPaced(event)
    // While sendPaced waited, more may have come; what came before this line is sent before what comes after it.
    const waiting = this.#waiting ?? []
    this.#waiting = undefined
    this.#stream = stream
    if (this.#overflowed) return stream.drop('backlog')
    for (const minute of waiting) stream.send(minuteEvent(minute))
  }

  stop(): void {
    this.#unwatch()
    this.#waiting = undefined
  }

  #take(minute: LiveMinute): void {
    if (this.#stream !== undefined) {
      this.#stream.send(minuteEvent(minute))
    } else if ((this.#waiting?.length ?? 0) >= waitingEventsMax) {
      this.#overflowed = true
    } else {
      this.#waiting?.push(minute)
    }
  }
}
