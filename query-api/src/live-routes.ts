/**
 * Live streams. A server's: `status` at once and every 15 s, `minute` for each of its minutes as it grows and when it
 * closes. The fleet's: `status` and `progress`. A metric's are in metric-live-routes.ts.
 *
 * Order when a viewer connects: join the server's feed first (closed minutes wait in a bounded list), then read from
 * Postgres and send what Last-Event-ID says was missed, then what waited, then pass on. So nothing falls between replay and
 * live; what comes twice replaces itself.
 *
 * Ids are complete-through of all partitions as Postgres has it, never one partition's: a viewer that comes back to another
 * query API gets there what it missed here.
 *
 * A replay is an answer: it holds points of the budget and has answerTimeoutMs. One that was cut short goes on where it was
 * when the viewer reconnects, for the ids of its events are those of its minutes.
 *
 * Late data merged into a minute older than the replay is not announced: a viewer that reconnects gets current minutes
 * right, and old ones when it reads their range again (its ETag will have changed).
 */
import { refuseOtherMethods } from '@minutely/lib/other-methods'
import { minuteMs } from '@minutely/schema/limits'
import type { LiveMinute } from '@minutely/schema/query-wire'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { QueryConfig } from './config.ts'
import { assertServerExists } from './dictionary.ts'
import type { StreamEvent } from './event-frames.ts'
import type { EventStream } from './event-stream.ts'
import { readFleetSummary } from './fleet-summary.ts'
import { planReplay, type ReplayParts, readPart } from './live-replay.ts'
import type { LiveViewers } from './live-viewers.ts'
import { Parameters } from './parameters.ts'
import { readServerId } from './range-question.ts'
import { type RouteDeps, signalOf } from './range-routes.ts'
import { liveTenantId } from './read-range.ts'
import type { ServerFeed } from './server-feed.ts'
import type { ServerFeeds } from './server-feeds.ts'
import { inStoreSession, type StoreSession } from './store-session.ts'

/** Closed minutes (parts of one, resets) that may wait for a replay to be sent. */
const waitingEventsMax = 100

export interface LiveRouteDeps extends RouteDeps {
  readonly viewers: LiveViewers
  readonly feeds: ServerFeeds
}

/** Runs work under one viewer's signal. */
type Run = <T>(work: (session: StoreSession) => Promise<T>) => Promise<T>

export function registerLiveRoutes(app: FastifyInstance, config: QueryConfig, deps: LiveRouteDeps): void {
  const { viewers, feeds, live, budget, clock } = deps
  const runFor = (reply: FastifyReply): Run => {
    const options = { signal: signalOf(reply, deps.stopping), timeoutMs: config.timeoutMs }
    return (work) => inStoreSession(work, options, deps)
  }
  // fastify would add a HEAD route of its own, whose stream would never end.
  const options = { exposeHeadRoute: false }

  app.get('/v1/live', options, async (request, reply) => {
    new Parameters(request.query, [])
    viewers.assertRoom()
    const { completeThroughMs, fleet } = await runFor(reply)(async (session) => {
      const completeMs = Math.max(await session.completeThroughMs(), live.completeThroughMs())
      return { completeThroughMs: completeMs, fleet: await readFleetSummary(completeMs, session) }
    })
    viewers.assertRoom()
    reply.hijack()
    if (reply.raw.destroyed) return
    viewers.open(reply.raw, { kind: 'fleet', completeThroughMs, fleet })
  })

  app.get('/v1/servers/:serverId/live', options, async (request: LiveRequest, reply) => {
    new Parameters(request.query, [])
    const serverId = readServerId(request.params.serverId)
    viewers.assertRoom()
    const run = runFor(reply)
    const waiting = new WaitingEvents(feeds, serverId)
    let giveBack = (): void => {}
    try {
      const { completeThroughMs, first, replay } = await run((session) =>
        readStart({ serverId, request }, { session, config, deps }),
      )
      viewers.assertRoom()
      waiting.feed.startFrom(completeThroughMs)
      if (replay !== undefined) giveBack = budget.take(replay.budgetPoints)
      reply.hijack()
      // Gone meanwhile: its close event has passed, and would end the stream never.
      if (reply.raw.destroyed) return waiting.stop()
      const settledMs = (): number => Math.max(completeThroughMs, waiting.sentMs)
      const stream = viewers.open(reply.raw, { kind: 'server', completeThroughMs, settledMs, onEnd: waiting.stop })
      for (const event of first) await stream.sendPaced(event)
      if (replay !== undefined) {
        const cancelDeadline = clock.schedule(config.answerTimeoutMs, () => stream.drop('stalled'))
        await sendReplay(stream, replay, run).catch((error: unknown) => failReplay(stream, request, error))
        cancelDeadline()
      }
      await waiting.startSending(stream)
    } catch (error) {
      waiting.stop()
      throw error
    } finally {
      giveBack()
    }
  })
  for (const url of ['/v1/live', '/v1/servers/:serverId/live']) refuseOtherMethods(app, { url, allowed: 'GET' })
}

type LiveRequest = FastifyRequest<{ Params: { serverId: string } }>

/** What a new viewer gets before the live events. */
interface Start {
  readonly completeThroughMs: number
  readonly first: readonly StreamEvent[]
  readonly replay?: ReplayParts
}

async function readStart(
  asked: { serverId: string; request: FastifyRequest },
  context: { session: StoreSession; config: QueryConfig; deps: LiveRouteDeps },
): Promise<Start> {
  const { serverId, request } = asked
  const { session, config, deps } = context
  const completeThroughMs = Math.max(await session.completeThroughMs(), deps.live.completeThroughMs())
  const openNow = await deps.live.openMinutes({ tenantId: liveTenantId, serverId })
  // Each comes with its partition's.
  const open = openNow.map((minute) => ({ ...minute, completeThroughMs }))
  if (open.length === 0) await assertServerExists(session.client, serverId)
  const lastEventId = request.headers['last-event-id']
  if (typeof lastEventId !== 'string' || lastEventId === '') {
    return { completeThroughMs, first: open.map(minuteEvent) }
  }
  const replay = await planReplay(
    { serverId, lastEventId, completeThroughMs, nowMs: deps.clock.nowMs() },
    { session, config },
  )
  if (replay.kind === 'reset') {
    const reset: StreamEvent = { event: 'reset', id: completeThroughMs, data: { reason: replay.reason } }
    return { completeThroughMs, first: [reset, ...open.map(minuteEvent)] }
  }
  // Stored minutes last: of a minute that is in both, the stored one stays. Without ids: nothing was replayed yet.
  return { completeThroughMs, first: open.map((data) => ({ event: 'minute', data })), replay }
}

async function sendReplay(stream: EventStream, replay: ReplayParts, run: Run): Promise<void> {
  for (const part of replay.parts) {
    if (stream.ended) return
    const minutes = await run((session) => readPart(part, replay, session))
    for (const data of minutes) {
      const id = Math.min(replay.completeThroughMs || data.minuteMs, data.minuteMs + minuteMs)
      await stream.sendPaced({ event: 'minute', id, data })
    }
  }
}

/** The answer has begun, so that it can only be cut off; the viewer reconnects and goes on where it was. */
function failReplay(stream: EventStream, request: FastifyRequest, error: unknown): void {
  if (stream.ended) return
  request.log.warn({ err: error }, 'the minutes that a live viewer missed could not be read; it was dropped')
  stream.drop('replay-failed')
}

function minuteEvent(minute: LiveMinute): StreamEvent {
  // Before anything is complete there is nothing to resume from but the minute itself.
  const id = minute.completeThroughMs || minute.minuteMs
  return { event: 'minute', id, data: minute, isProvisional: minute.provisional }
}

/** The feed's events for one viewer: those that matter are kept until its stream is ready for them, then all passed on. */
class WaitingEvents {
  readonly feed: ServerFeed
  readonly stop: () => void
  #waiting: StreamEvent[] = []
  #overflowed = false
  #stream: EventStream | undefined

  constructor(feeds: ServerFeeds, serverId: string) {
    const server = { tenantId: liveTenantId, serverId }
    const { feed, leave } = feeds.join(server, {
      onMinute: (minute) => this.#take(minuteEvent(minute)),
      onReset: (data, id) => this.#take({ event: 'reset', id, data }),
    })
    this.feed = feed
    this.stop = () => {
      leave()
      this.#waiting = []
    }
  }

  /** Everything before it was sent; 0 as long as something waits. */
  get sentMs(): number {
    return this.#stream === undefined ? 0 : this.feed.settledMs
  }

  async startSending(stream: EventStream): Promise<void> {
    // While sendPaced waits, more may come; what came before the end of this loop is sent before what comes after it.
    while (!stream.ended) {
      if (this.#overflowed) return stream.drop('backlog')
      const event = this.#waiting.shift()
      if (event === undefined) break
      await stream.sendPaced(event)
    }
    this.#stream = stream
  }

  #take(event: StreamEvent): void {
    if (this.#stream !== undefined) this.#stream.send(event)
    // A provisional one comes again, in about 2 s.
    else if (event.isProvisional === true) return
    else if (this.#waiting.length >= waitingEventsMax) this.#overflowed = true
    else this.#waiting.push(event)
  }
}
