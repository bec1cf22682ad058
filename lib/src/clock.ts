/**
 * Time and timers, passed in everywhere, so that whatever depends on them can be simulated. Date.now and setTimeout are
 * called here and in the few files that tidy/exceptions.ts lists with their reasons. Instants are ms since the epoch,
 * durations ms; Infinity is a duration, NaN is not.
 *
 * SystemClock is the machine's. VirtualClock stands still until a test advances it; timers fire in order of their due
 * time, then in order of their creation, so that a run is the same every time. clock-contract.ts is the suite of both.
 */
import assert from 'node:assert/strict'
import { TimerHeap, type VirtualTimer } from './timer-heap.ts'

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

export class VirtualClock implements Clock {
  #nowMs: number
  #sequence = 0
  readonly #timers = new TimerHeap()
  readonly #settlesPerTurn: number
  /** Immediates that are set; those of one turn cost together what one costs alone. */
  #armedCount = 0
  readonly #unsettled: (() => void)[] = []

  /** `settlesPerTurn`: so many timers fire between two looks of Node at sockets and files. Above 1 only where there are none. */
  constructor(startMs: number, { settlesPerTurn = 1 } = {}) {
    this.#nowMs = startMs
    this.#settlesPerTurn = settlesPerTurn
  }

  nowMs(): number {
    return this.#nowMs
  }

  sleep(durationMs: number, signal?: AbortSignal): Promise<void> {
    return sleepOn(this, durationMs, signal)
  }

  schedule(delayMs: number, callback: () => void): () => void {
    assertNumber(delayMs)
    const dueMs = this.#nowMs + Math.max(0, delayMs)
    const timer: VirtualTimer = { dueMs, sequence: this.#sequence++, callback, at: -1 }
    this.#timers.add(timer)
    return () => this.#timers.remove(timer)
  }

  /** Moves on, firing what falls due at its own instant and letting promises settle after each timer. */
  async advance(durationMs: number): Promise<void> {
    assert(durationMs >= 0, `BUG: time cannot advance by ${durationMs} ms`)
    const untilMs = this.#nowMs + durationMs
    for (let next = this.#timers.first; next !== undefined && next.dueMs <= untilMs; next = this.#timers.first) {
      this.#timers.remove(next)
      this.#nowMs = Math.max(this.#nowMs, next.dueMs)
      next.callback()
      await this.#settle()
    }
    this.#nowMs = untilMs
    await this.#settle()
  }

  /** Timers that are waiting: a test can assert that nothing was left behind. */
  get pendingCount(): number {
    return this.#timers.size
  }

  /** Lets every promise that is already decided run its continuations: Node does so after each immediate. */
  #settle(): Promise<void> {
    return new Promise((resolve) => {
      this.#unsettled.push(resolve)
      if (this.#armedCount > 0) return
      for (; this.#armedCount < this.#settlesPerTurn; this.#armedCount++) setImmediate(this.#settled)
    })
  }

  readonly #settled = (): void => {
    this.#armedCount--
    for (const resolve of this.#unsettled.splice(0)) resolve()
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
