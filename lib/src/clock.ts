/**
 * Time and timers, passed in everywhere, so that whatever depends on them can be simulated. Date.now and setTimeout are
 * called here and in the few files that tidy/exceptions.ts lists with their reasons. Instants are ms since the epoch,
 * durations ms; Infinity is a duration, NaN is not.
 *
 * SystemClock is the machine's. VirtualClock stands still until a test advances it; timers fire in order of their due
 * time, then in order of their creation, so that a run is the same every time. clock-contract.ts is the suite of both.
 */
import assert from 'node:assert/strict'

export interface Clock {
  nowMs(): number
  /** Resolves after durationMs, or at once when the signal aborts; never rejects. */
  sleep(durationMs: number, signal?: AbortSignal): Promise<void>
  /** Calls back once after delayMs. The returned function cancels. A pending timer keeps no process alive. */
  schedule(delayMs: number, callback: () => void): () => void
}

export class SystemClock implements Clock {
  nowMs(): number {
    return Date.now()
  }

  sleep(durationMs: number, signal?: AbortSignal): Promise<void> {
    return sleepOn(this, durationMs, signal)
  }

  schedule(delayMs: number, callback: () => void): () => void {
    assertNumber(delayMs)
    let timer: NodeJS.Timeout | undefined
    const arm = (remainingMs: number): void => {
      const partMs = Math.min(Math.max(0, remainingMs), timeoutMsMax)
      timer = setTimeout(remainingMs > partMs ? () => arm(remainingMs - partMs) : callback, partMs)
      timer.unref()
    }
    arm(delayMs)
    return () => clearTimeout(timer)
  }
}

/** Node fires at once what is to wait longer than this, 24.8 days. */
const timeoutMsMax = 2 ** 31 - 1

interface VirtualTimer {
  readonly dueMs: number
  readonly sequence: number
  readonly callback: () => void
}

export class VirtualClock implements Clock {
  #nowMs: number
  #sequence = 0
  readonly #timers = new Set<VirtualTimer>()

  constructor(startMs: number) {
    this.#nowMs = startMs
  }

  nowMs(): number {
    return this.#nowMs
  }

  sleep(durationMs: number, signal?: AbortSignal): Promise<void> {
    return sleepOn(this, durationMs, signal)
  }

  schedule(delayMs: number, callback: () => void): () => void {
    assertNumber(delayMs)
    const timer = { dueMs: this.#nowMs + Math.max(0, delayMs), sequence: this.#sequence++, callback }
    this.#timers.add(timer)
    return () => this.#timers.delete(timer)
  }

  /** Moves on, firing what falls due at its own instant and letting promises settle after each timer. */
  async advance(durationMs: number): Promise<void> {
    assert(durationMs >= 0, `BUG: time cannot advance by ${durationMs} ms`)
    const untilMs = this.#nowMs + durationMs
    for (let next = this.#earliest(untilMs); next !== undefined; next = this.#earliest(untilMs)) {
      this.#timers.delete(next)
      this.#nowMs = Math.max(this.#nowMs, next.dueMs)
      next.callback()
      await settle()
    }
    this.#nowMs = untilMs
    await settle()
  }

  /** Timers that are waiting: a test can assert that nothing was left behind. */
  get pendingCount(): number {
    return this.#timers.size
  }

  #earliest(untilMs: number): VirtualTimer | undefined {
    let first: VirtualTimer | undefined
    for (const timer of this.#timers) {
      if (timer.dueMs > untilMs) continue
      if (!first || timer.dueMs < first.dueMs || (timer.dueMs === first.dueMs && timer.sequence < first.sequence)) {
        first = timer
      }
    }
    return first
  }
}

function assertNumber(delayMs: number): void {
  assert(!Number.isNaN(delayMs), 'BUG: a delay of NaN ms')
}

function sleepOn(clock: Clock, durationMs: number, signal: AbortSignal | undefined): Promise<void> {
  if (signal?.aborted) return Promise.resolve()
  return new Promise((resolve) => {
    const finish = (): void => {
      cancel()
      signal?.removeEventListener('abort', finish)
      resolve()
    }
    const cancel = clock.schedule(durationMs, finish)
    signal?.addEventListener('abort', finish, { once: true })
  })
}

/** Lets every promise that is already decided run its continuations. */
function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}
