/**
 * One viewer of a metric, on its way through the minutes: it takes what comes next when it is ready for it. Instants are ms since
 * the epoch, of whole minutes.
 *
 *   sentMs ──── events() ──> settledMs        all minutes before sentMs were given to it, once each, in order
 */
import { minuteMs } from '@minutely/schema/limits'
import type { LiveMetricMinute } from '@minutely/schema/live-wire'
import type { StreamEvent } from './event-frames.ts'

export interface FollowerDeps {
  readonly fromMs: number
  /** One that is further behind is told to read the range again. */
  readonly minutesMax: number
  /** Minutes before it can be had. */
  readonly settledMs: () => number
  /** The first ones of these, oldest first; none when a partition has just begun and they are not complete after all. */
  readonly read: (fromMs: number, toMs: number) => Promise<readonly LiveMetricMinute[]>
  readonly leave: () => void
}

export class MetricFollower {
  readonly #deps: FollowerDeps
  #sentMs: number
  #wake: (() => void) | undefined
  #isStopped = false

  constructor(deps: FollowerDeps) {
    this.#deps = deps
    this.#sentMs = deps.fromMs
  }

  /** The viewer has everything before it. */
  get sentMs(): number {
    return this.#sentMs
  }

  /** Ends when it is stopped. @throws what reading threw. */
  async *events(): AsyncGenerator<StreamEvent> {
    while (!this.#isStopped) {
      const settledMs = this.#deps.settledMs()
      // Before anything was complete there was nothing to miss.
      if (this.#sentMs === 0) this.#sentMs = Math.max(0, settledMs - minuteMs)
      const missed = (settledMs - this.#sentMs) / minuteMs
      if (missed > this.#deps.minutesMax) {
        this.#sentMs = settledMs
        const reason = `${missed} minutes were missed, ${this.#deps.minutesMax} are replayed at most`
        yield { event: 'reset', id: settledMs, data: { reason } }
        continue
      }
      const minutes = missed > 0 ? await this.#deps.read(this.#sentMs, settledMs) : []
      for (const minute of minutes) {
        if (this.#isStopped) return
        yield { event: 'minute', id: minute.completeThroughMs, data: minute }
        this.#sentMs = minute.completeThroughMs
      }
      if (minutes.length === 0 && settledMs === this.#deps.settledMs()) await this.#waitForMore()
    }
  }

  wake(): void {
    this.#wake?.()
    this.#wake = undefined
  }

  /** What waits ends. May be called more than once. */
  stop(): void {
    if (this.#isStopped) return
    this.#isStopped = true
    this.#deps.leave()
    this.wake()
  }

  async #waitForMore(): Promise<void> {
    if (this.#isStopped) return
    await new Promise<void>((resolve) => {
      this.#wake = resolve
    })
  }
}
