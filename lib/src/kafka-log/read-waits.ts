/**
 * The waits of reads, thousands at a time, that mostly end because their time is up: one timer for all of them, and nobody listens
 * to a signal, because a timer and a listener for each read cost more than the read. Looked through every sweepEveryMs while any
 * wait: a wait ends up to so much later than it should, after its time and after an abort. Bounded by the partitions that are owned.
 */
import type { Clock } from '../clock.ts'

const sweepEveryMs = 50

export interface ReadWait {
  readonly ended: Promise<void>
  end(): void
}

interface Waiting {
  readonly untilMs: number
  readonly signal: AbortSignal | undefined
  readonly end: () => void
}

export class ReadWaits {
  readonly #clock: Clock
  readonly #waiting = new Set<Waiting>()
  #isSweeping = false

  constructor({ clock }: { clock: Clock }) {
    this.#clock = clock
  }

  /** Ends at that instant, when the signal aborts, or when it is ended. */
  begin(untilMs: number, signal: AbortSignal | undefined): ReadWait {
    const { promise, resolve } = Promise.withResolvers<void>()
    const waiting = { untilMs, signal, end: resolve }
    this.#waiting.add(waiting)
    if (!this.#isSweeping) this.#schedule()
    const end = (): void => {
      this.#waiting.delete(waiting)
      resolve()
    }
    return { ended: promise, end }
  }

  #schedule(): void {
    this.#isSweeping = true
    this.#clock.schedule(sweepEveryMs, () => this.#sweep())
  }

  #sweep(): void {
    const nowMs = this.#clock.nowMs()
    for (const waiting of this.#waiting) {
      if (nowMs < waiting.untilMs && waiting.signal?.aborted !== true) continue
      this.#waiting.delete(waiting)
      waiting.end()
    }
    this.#isSweeping = false
    if (this.#waiting.size > 0) this.#schedule()
  }
}
