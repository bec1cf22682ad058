/**
 * All live viewers of the process: their number is bounded and so is what they together have unsent, all get a heartbeat,
 * those of the fleet get progress. One timer for all of them, which runs only while somebody watches.
 *
 * Progress is the aggregator's when it lives in this process, else Postgres is asked every 2.5 s, once for everybody.
 * When Postgres does not answer, heartbeats go on with the last known progress.
 */
import type { ServerResponse } from 'node:http'
import type { Clock } from '@minutely/lib/clock'
import type { LiveChannel } from '@minutely/lib/live-channel'
import type { Logger } from '@minutely/lib/logging'
import type { Pool } from '@minutely/lib/postgres/pool'
import { ApiError } from '@minutely/schema/error-catalogue'
import type { LiveStatus } from '@minutely/schema/query-wire'
import type { QueryConfig } from './config.ts'
import { EventFrames, type StreamEvent } from './event-frames.ts'
import { EventStream } from './event-stream.ts'
import type { QueryMetrics } from './metrics.ts'
import { inStoreSession } from './store-session.ts'

export interface LiveViewersDeps {
  readonly pool: Pool
  readonly live: LiveChannel
  readonly clock: Clock
  readonly log: Logger
  readonly metrics: QueryMetrics
}

/** `server` streams get minutes from their route, `fleet` streams get progress from here. */
export type ViewerKind = 'server' | 'fleet'

const tickMs = 2500
const heartbeatMs = 15_000

export class LiveViewers {
  readonly #config: QueryConfig
  readonly #deps: LiveViewersDeps
  readonly #streams = new Map<EventStream, ViewerKind>()
  readonly #frames: EventFrames
  #completeThroughMs = 0
  #lastHeartbeatMs = 0
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

  /** The stream, with its status sent. completeThroughMs is what the caller has just read. */
  open(raw: ServerResponse, viewer: { kind: ViewerKind; completeThroughMs: number; onEnd?: () => void }): EventStream {
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
    if (this.#streams.size === 0) this.#lastHeartbeatMs = clock.nowMs()
    this.#streams.set(stream, viewer.kind)
    metrics.viewers.set(this.#streams.size)
    this.#completeThroughMs = Math.max(this.#completeThroughMs, viewer.completeThroughMs)
    stream.send({ event: 'status', data: this.#status() })
    if (viewer.kind === 'fleet') stream.send(this.#progress())
    this.#startTicking()
    return stream
  }

  stop(): void {
    this.#stopped = true
    this.#cancelTick?.()
    this.#cancelTick = undefined
    for (const stream of this.#streams.keys()) stream.end()
  }

  #status(): LiveStatus {
    return { nowMs: this.#deps.clock.nowMs(), completeThroughMs: this.#completeThroughMs }
  }

  #progress(): StreamEvent {
    const completeThroughMs = this.#completeThroughMs
    return { event: 'progress', id: completeThroughMs, data: { completeThroughMs } }
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
    const completeThroughMs = await this.#readProgress()
    if (this.#stopped) return
    if (completeThroughMs > this.#completeThroughMs) {
      this.#completeThroughMs = completeThroughMs
      const progress = this.#progress()
      for (const [stream, kind] of this.#streams) if (kind === 'fleet') stream.send(progress)
    }
    const nowMs = this.#deps.clock.nowMs()
    if (nowMs - this.#lastHeartbeatMs >= heartbeatMs) {
      this.#lastHeartbeatMs = nowMs
      const data = this.#status()
      for (const stream of this.#streams.keys()) stream.send({ event: 'status', data })
    }
    this.#cancelTick = undefined
    if (this.#streams.size > 0) this.#startTicking()
  }

  async #readProgress(): Promise<number> {
    const liveMs = this.#deps.live.completeThroughMs()
    if (liveMs > 0) return liveMs
    try {
      const options = { signal: new AbortController().signal, timeoutMs: tickMs }
      return await inStoreSession((session) => session.completeThroughMs(), options, this.#deps)
    } catch (error) {
      this.#deps.log.debug({ err: error }, 'the progress could not be read; live viewers keep the last known one')
      return 0
    }
  }
}
