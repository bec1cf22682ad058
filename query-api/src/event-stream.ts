/**
 * One live viewer's connection: Server-Sent Events (https://html.spec.whatwg.org/multipage/server-sent-events.html).
 *
 * Nothing is queued beside the socket's own buffer, and an event there is one buffer for all viewers (event-frames.ts).
 * What a viewer has not taken of earlier turns is its backlog:
 *
 *   backlog > bufferBytesMax    it does not keep up and is dropped; its browser reconnects with Last-Event-ID and gets what
 *                               it missed from Postgres
 *   backlog > 0                 it goes without provisional minutes: they would be stale when it gets to them
 *
 * The events of one turn may be larger than the bound: the bound is on what was there before them. A replay is sent event
 * by event, each when the one before it has been taken; a viewer that takes nothing for drainTimeoutMs is dropped.
 */
import type { ServerResponse } from 'node:http'
import type { Clock } from '@minutely/lib/clock'
import type { EventFrames, Frame, StreamEvent } from './event-frames.ts'

export interface EventStreamOptions {
  readonly bufferBytesMax: number
  readonly frames: EventFrames
  readonly clock: Clock
  /** Called once, when the stream ended for whatever cause; dropped says why if it was the server's doing. */
  readonly onEnd: (dropped: DropReason | undefined) => void
}

/**
 * slow: too much unsent. stalled: a replay was not taken in time. backlog: too much came while it was replayed.
 * buffers-full: all viewers together have too much unsent, and this one the most. replay-failed: Postgres or the budget.
 */
export type DropReason = 'slow' | 'stalled' | 'backlog' | 'buffers-full' | 'replay-failed'

/** Browsers wait this long before they reconnect. */
const retryMs = 2000
export const drainTimeoutMs = 10_000

export class EventStream {
  readonly #raw: ServerResponse
  readonly #options: EventStreamOptions
  /** In the order of their writes. */
  readonly #held: Frame[] = []
  #turn = -1
  #backlogBytes = 0
  #ended = false

  constructor(raw: ServerResponse, options: EventStreamOptions) {
    this.#raw = raw
    this.#options = options
    raw.once('close', () => this.#finish(undefined))
    raw.writeHead(200, {
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
      // nginx would otherwise hold events back until its buffer is full.
      'x-accel-buffering': 'no',
    })
    raw.write(`retry: ${retryMs}\n\n`)
  }

  get ended(): boolean {
    return this.#ended
  }

  get unsentBytes(): number {
    return this.#raw.writableLength
  }

  send(event: StreamEvent): void {
    if (this.#ended) return
    const backlogBytes = this.#readBacklog()
    if (event.isProvisional === true && backlogBytes > 0) return
    if (backlogBytes > this.#options.bufferBytesMax) this.drop('slow')
    else this.#write(event)
  }

  /** Sends, then waits until the socket has taken what it holds; for a replay, which is as long as it is. */
  async sendPaced(event: StreamEvent): Promise<void> {
    if (this.#ended || this.#write(event)) return
    const cancelDeadline = this.#options.clock.schedule(drainTimeoutMs, () => this.drop('stalled'))
    await new Promise<void>((resolve) => {
      const settle = (): void => {
        this.#raw.off('drain', settle).off('close', settle)
        resolve()
      }
      this.#raw.on('drain', settle).on('close', settle)
    })
    cancelDeadline()
  }

  drop(reason: DropReason): void {
    this.#finish(reason)
    this.#raw.destroy()
  }

  /** The ordinary end, when the service stops. */
  end(): void {
    this.#finish(undefined)
    this.#raw.end()
  }

  /** Bytes of earlier turns that are still unsent; what this turn writes waits for its end whoever the viewer is. */
  #readBacklog(): number {
    const turn = this.#options.frames.enterTurn()
    if (this.#turn !== turn) {
      this.#turn = turn
      this.#backlogBytes = this.#raw.writableLength
    }
    return this.#backlogBytes
  }

  #write(event: StreamEvent): boolean {
    this.#readBacklog()
    const frame = this.#options.frames.hold(event)
    this.#held.push(frame)
    return this.#raw.write(frame.bytes, () => this.#releaseOldest())
  }

  #releaseOldest(): void {
    const frame = this.#held.shift()
    if (frame !== undefined) this.#options.frames.release(frame)
  }

  #finish(dropped: DropReason | undefined): void {
    if (this.#ended) return
    this.#ended = true
    this.#options.onEnd(dropped)
    while (this.#held.length > 0) this.#releaseOldest()
  }
}
