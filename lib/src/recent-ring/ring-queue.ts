/**
 * The way of parts to Redis: one after the other, a bounded number of bytes, in the background. When Redis fails or
 * does not answer, all that waits is dropped and the ring left alone for breakerMs (readers share that breaker).
 */
import type { Clock } from '../clock.ts'
import type { Logger } from '../logging.ts'
import type { RingMetrics } from './ring-metrics.ts'

export interface QueuedPart {
  readonly bytes: Buffer
  readonly rows: number
  /** @throws RedisError */
  send(): Promise<unknown>
}

export interface RingQueueDeps {
  readonly clock: Clock
  readonly log: Logger
  readonly metrics: RingMetrics
}

export class RingBreaker {
  readonly #deps: RingQueueDeps
  readonly #breakerMs: number
  #openUntilMs = 0

  constructor(breakerMs: number, deps: RingQueueDeps) {
    this.#breakerMs = breakerMs
    this.#deps = deps
  }

  get isOpen(): boolean {
    return this.#deps.clock.nowMs() < this.#openUntilMs
  }

  open(error: Error): void {
    const { clock, log, metrics } = this.#deps
    if (!this.isOpen) log.warn({ reason: error.message }, `the ring in Redis is left alone for ${this.#breakerMs} ms`)
    this.#openUntilMs = clock.nowMs() + this.#breakerMs
    metrics.breakerOpen.set(1)
    clock.schedule(this.#breakerMs, () => metrics.breakerOpen.set(this.isOpen ? 1 : 0))
  }
}

export class RingQueue {
  readonly #deps: RingQueueDeps
  readonly #breaker: RingBreaker
  readonly #bytesMax: number
  readonly #waiting: { readonly part: QueuedPart; readonly done: (sent: boolean) => void }[] = []
  #bytes = 0
  #isSending = false

  constructor(bytesMax: number, breaker: RingBreaker, deps: RingQueueDeps) {
    this.#bytesMax = bytesMax
    this.#breaker = breaker
    this.#deps = deps
  }

  /** @returns undefined when they do not fit; otherwise whether Redis took all of them. Never rejects. */
  add(parts: readonly QueuedPart[], urgency?: 'urgent'): Promise<boolean> | undefined {
    const bytes = parts.reduce((sum, part) => sum + part.bytes.length, 0)
    if (this.#bytes + bytes > this.#bytesMax) return undefined
    this.#count(bytes)
    const entries: { part: QueuedPart; done: (sent: boolean) => void }[] = []
    const all = parts.map((part) => new Promise<boolean>((done) => entries.push({ part, done })))
    if (urgency === 'urgent') this.#waiting.unshift(...entries)
    else this.#waiting.push(...entries)
    if (!this.#isSending) void this.#send()
    return Promise.all(all).then((each) => each.every(Boolean))
  }

  async #send(): Promise<void> {
    this.#isSending = true
    for (let next = this.#waiting.shift(); next !== undefined; next = this.#waiting.shift()) {
      const { part, done } = next
      try {
        await part.send()
        this.#deps.metrics.rows.inc({ source: 'live' }, part.rows)
        this.#count(-part.bytes.length)
        done(true)
      } catch (error) {
        this.#breaker.open(error as Error)
        for (const dropped of [next, ...this.#waiting.splice(0)]) {
          this.#count(-dropped.part.bytes.length)
          dropped.done(false)
        }
      }
    }
    this.#isSending = false
  }

  #count(bytes: number): void {
    this.#bytes += bytes
    this.#deps.metrics.queueBytes.set(this.#bytes)
  }
}
