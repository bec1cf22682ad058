/**
 * All live viewers of the process: their number is bounded and so is what they together have unsent, all get a heartbeat,
 * those of the fleet get progress. One timer for all of them, which runs only while somebody watches.
 *
 * Progress is the aggregator's when it lives in this process, else Postgres is asked every 0.5 s, once for everybody: no one
 * of several aggregators knows it. When Postgres does not answer, heartbeats go on with the last known progress. A viewer
 * of a server is told how far its minutes have been passed on instead, which is a moment behind (server-feed.ts).
 */
import type { ServerResponse } from 'node:http'
import type { Clock } from '@minutely/lib/clock'
import type { LiveReader } from '@minutely/lib/live/live-channel'
import type { Logger } from '@minutely/lib/logging'
import type { Pool } from '@minutely/lib/postgres/pool'
import { ApiError } from '@minutely/schema/error-catalogue'
import type { LiveProgress } from '@minutely/schema/live-wire'
import type { LiveStatus } from '@minutely/schema/query-wire'
import type { QueryConfig } from './config.ts'
import { EventFrames, type StreamEvent } from './event-frames.ts'
import { EventStream } from './event-stream.ts'
import { type FleetSummary, readFleetSummary, unknownFleet } from './fleet-summary.ts'
import type { MetricFeeds } from './metric-feeds.ts'
import type { QueryMetrics } from './metrics.ts'
import type { ServerFeeds } from './server-feeds.ts'
import { inStoreSession, type StoreSession } from './store-session.ts'

export interface LiveViewersDeps {
  readonly pool: Pool
  readonly live: LiveReader
  readonly clock: Clock
  readonly log: Logger
  readonly metrics: QueryMetrics
  readonly feeds: Pick<ServerFeeds, 'advance'>
  readonly metricFeeds: Pick<MetricFeeds, 'advance'>
}

/** `server` and `metric` streams get minutes from their routes, `fleet` streams get progress from here. */
export type ViewerKind = 'server' | 'metric' | 'fleet'

export interface Viewer {
  readonly kind: ViewerKind
  /** What the caller has just read of all partitions. */
  readonly completeThroughMs: number
  /** Of the fleet, at that instant. */
  readonly fleet?: FleetSummary
  /** Of a server or metric: what its viewer has got everything before. */
  readonly settledMs?: () => number
  readonly onEnd?: () => void
}

/** How long after Postgres a viewer of a metric or of the fleet knows that a minute is closed, at most. */
const tickMs = 500
/** What a server's closed minutes have to come over the live channel before they are read. */
const judgeEveryMs = 2500
const readTimeoutMs = 2500
const heartbeatMs = 15_000

export class LiveViewers {
  readonly #config: QueryConfig
  readonly #deps: LiveViewersDeps
  readonly #streams = new Map<EventStream, Viewer>()
  readonly #frames: EventFrames
  #completeThroughMs = 0
  /** That viewers of the fleet were told of; a viewer that connects may know more. */
  #toldMs = 0
  #lastHeartbeatMs = 0
  #lastJudgedMs = 0
  #cancelTick: (() => void) | undefined
  #stopped = false

  constructor(config: QueryConfig, deps: LiveViewersDeps) {
    this.#config = config
    this.#deps = deps
    this.#frames = new EventFrames(config.viewersBufferBytesMax, () => this.#dropMostUnsent())
  }

  /** Before the answer has begun, so that a refusal can still be one. @throws ApiError too-many-viewers. */
  assertRoom(): void {
    const { viewersMax } = this.#config
    if (this.#stopped)
      throw new ApiError('store-unavailable', 'The query API is stopping; connect again', { retryAfterS: 2 })
    if (this.#streams.size < viewersMax) return
    throw new ApiError(
      'too-many-viewers',
      `${viewersMax} live streams are open, this process serves no more; ask for the range instead`,
      {
        retryAfterS: 15,
        details: { viewersMax },
      },
    )
  }

  /** The stream, with its status sent. */
  open(raw: ServerResponse, viewer: Viewer): EventStream {
    const { metrics, log, clock } = this.#deps
    const stream: EventStream = new EventStream(raw, {
      bufferBytesMax: this.#config.viewerBufferBytesMax,
      frames: this.#frames,
      clock,
      onEnd: (dropped) => {
        this.#streams.delete(stream)
        metrics.viewers.set(this.#streams.size)
        viewer.onEnd?.()
        if (dropped === undefined) return
        metrics.viewersDropped.inc({ reason: dropped })
        log.info({ reason: dropped, unsentBytes: raw.writableLength }, 'a live viewer was dropped; it may reconnect')
      },
    })
    // The first viewer has just been told its status; the others come along with it.
    if (this.#streams.size === 0) this.#lastHeartbeatMs = this.#lastJudgedMs = clock.nowMs()
    this.#streams.set(stream, viewer)
    metrics.viewers.set(this.#streams.size)
    if (this.#streams.size === 1) this.#toldMs = viewer.completeThroughMs
    this.#completeThroughMs = Math.max(this.#completeThroughMs, viewer.completeThroughMs)
    stream.send({ event: 'status', data: this.#statusOf(viewer) })
    if (viewer.kind === 'fleet') stream.send(progressOf(viewer.completeThroughMs, viewer.fleet))
    this.#startTicking()
    return stream
  }

  stop(): void {
    this.#stopped = true
    this.#cancelTick?.()
    this.#cancelTick = undefined
    for (const stream of this.#streams.keys()) stream.end()
  }

  #statusOf({ settledMs }: Viewer): LiveStatus {
    return { nowMs: this.#deps.clock.nowMs(), completeThroughMs: settledMs?.() ?? this.#completeThroughMs }
  }

  /** Until what the rest has unsent is within the bound; an event that several wait for counts once. */
  #dropMostUnsent(): void {
    const mostFirst = [...this.#streams.keys()].sort((a, b) => b.unsentBytes - a.unsentBytes)
    for (const stream of mostFirst) {
      if (!this.#frames.isOverfull) return
      stream.drop('buffers-full')
    }
  }

  #startTicking(): void {
    if (this.#cancelTick !== undefined || this.#stopped) return
    this.#cancelTick = this.#deps.clock.schedule(tickMs, () => void this.#tick())
  }

  async #tick(): Promise<void> {
    this.#completeThroughMs = Math.max(this.#completeThroughMs, await this.#readProgress())
    if (this.#stopped) return
    this.#deps.metricFeeds.advance(this.#completeThroughMs)
    if (this.#completeThroughMs > this.#toldMs) await this.#tellProgress()
    if (this.#stopped) return
    this.#judge()
    this.#beat()
    this.#cancelTick = undefined
    if (this.#streams.size > 0) this.#startTicking()
  }

  async #tellProgress(): Promise<void> {
    const completeThroughMs = this.#completeThroughMs
    const viewers = [...this.#streams].filter(([, { kind }]) => kind === 'fleet')
    const fleet = viewers.length === 0 ? undefined : await this.#readFleet(completeThroughMs)
    this.#toldMs = completeThroughMs
    const progress = progressOf(completeThroughMs, fleet)
    // One that has come meanwhile was told as much when it opened, or more.
    for (const [stream] of viewers) stream.send(progress)
  }

  #judge(): void {
    const nowMs = this.#deps.clock.nowMs()
    if (nowMs - this.#lastJudgedMs < judgeEveryMs) return
    this.#lastJudgedMs = nowMs
    this.#deps.feeds.advance(this.#completeThroughMs)
  }

  #beat(): void {
    const nowMs = this.#deps.clock.nowMs()
    if (nowMs - this.#lastHeartbeatMs < heartbeatMs) return
    this.#lastHeartbeatMs = nowMs
    // One object for all that are told the same (event-frames.ts).
    const statuses = new Map<number, LiveStatus>()
    for (const [stream, viewer] of this.#streams) {
      const status = this.#statusOf(viewer)
      const data = statuses.get(status.completeThroughMs) ?? status
      statuses.set(status.completeThroughMs, data)
      stream.send({ event: 'status', data })
    }
  }

  async #readProgress(): Promise<number> {
    const liveMs = this.#deps.live.completeThroughMs()
    if (liveMs > 0) return liveMs
    return this.#ask((session) => session.completeThroughMs(), 0)
  }

  #readFleet(completeThroughMs: number): Promise<FleetSummary> {
    return this.#ask((session) => readFleetSummary(completeThroughMs, session), unknownFleet)
  }

  async #ask<T>(work: (session: StoreSession) => Promise<T>, otherwise: T): Promise<T> {
    try {
      const options = { signal: new AbortController().signal, timeoutMs: readTimeoutMs }
      return await inStoreSession(work, options, this.#deps)
    } catch (error) {
      this.#deps.log.debug({ err: error }, 'the progress could not be read; live viewers keep the last known one')
      return otherwise
    }
  }
}

function progressOf(completeThroughMs: number, fleet: FleetSummary = unknownFleet): StreamEvent {
  const data: LiveProgress = { completeThroughMs, ...fleet }
  return { event: 'progress', id: completeThroughMs, data }
}
