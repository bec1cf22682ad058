/**
 * One live viewer's connection: Server-Sent Events (https://html.spec.whatwg.org/multipage/server-sent-events.html).
 *
 * Nothing is queued beside the socket's own buffer. A viewer that has more than bufferBytesMax unsent when the next event
 * is due does not keep up; it is dropped, and its browser reconnects with Last-Event-ID and gets what it missed from
 * Postgres. One event may be larger than the bound: the bound is on what was there before it.
 */
import type { ServerResponse } from 'node:http'

export interface StreamEvent {
  readonly event: 'minute' | 'status' | 'progress' | 'reset'
  readonly data: unknown
  /** Where a replay would resume: ms since the epoch. */
  readonly id?: number
}

export interface EventStreamOptions {
  readonly bufferBytesMax: number
  /** Called once, when the stream ended for whatever cause; dropped says why if it was the server's doing. */
  readonly onEnd: (dropped: DropReason | undefined) => void
}

export type DropReason = 'slow' | 'backlog'

/** Browsers wait this long before they reconnect. */
const retryMs = 2000

export class EventStream {
  readonly #raw: ServerResponse
  readonly #bufferBytesMax: number
  readonly #onEnd: EventStreamOptions['onEnd']
  #ended = false

  constructor(raw: ServerResponse, options: EventStreamOptions) {
    this.#raw = raw
    this.#bufferBytesMax = options.bufferBytesMax
    this.#onEnd = options.onEnd
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

  send(event: StreamEvent): void {
    if (this.#ended) return
    if (this.#raw.writableLength > this.#bufferBytesMax) this.drop('slow')
    else this.#raw.write(frame(event))
  }

  /** As send, then waits until the socket has taken what it holds; for a replay, which is as long as it is. */
  async sendPaced(event: StreamEvent): Promise<void> {
    if (this.#ended || this.#raw.write(frame(event))) return
    await new Promise<void>((resolve) => {
      const settle = (): void => {
        this.#raw.off('drain', settle).off('close', settle)
        resolve()
      }
      this.#raw.on('drain', settle).on('close', settle)
    })
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

  #finish(dropped: DropReason | undefined): void {
    if (this.#ended) return
    this.#ended = true
    this.#onEnd(dropped)
  }
}

/** JSON has no raw line breaks, so one `data:` line is enough. */
export function frame({ event, data, id }: StreamEvent): string {
  return `event: ${event}\n${id === undefined ? '' : `id: ${id}\n`}data: ${JSON.stringify(data)}\n\n`
}
