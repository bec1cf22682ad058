/**
 * A process that can die or stand still at any await. What comes from outside, an answer or a timer, reaches it only while it
 * runs: it is kept while the process is paused, and never comes once it is dead. What a process has asked for goes on without it:
 * a COMMIT that was on its way is done although nobody hears of it.
 */
import type { Clock } from '@minutely/lib/clock'
import type { SimWorld } from './sim-world.ts'

export class SimProcess {
  readonly name: string
  readonly clock: Clock
  isDead = false
  readonly #deaths: (() => void)[] = []
  #waiting: (() => void)[] | undefined

  /** `skewMs`: how far its machine's clock is ahead. */
  constructor(name: string, world: SimWorld, skewMs = 0) {
    this.name = name
    this.clock = processClock(this, world, skewMs)
  }

  get isPaused(): boolean {
    return this.#waiting !== undefined
  }

  /** Runs it now, when the process goes on, or never. */
  receive(callback: () => void): void {
    if (this.isDead) return
    if (this.#waiting === undefined) callback()
    else this.#waiting.push(callback)
  }

  /** What the outside does for this process: nothing any more for one that has just died and does not know it. */
  call<T>(work: () => Promise<T>): Promise<T> {
    if (this.isDead) return new Promise(() => {})
    return new Promise((resolve, reject) => {
      work().then(
        (value) => this.receive(() => resolve(value)),
        (error) => this.receive(() => reject(error)),
      )
    })
  }

  onDeath(callback: () => void): void {
    this.#deaths.push(callback)
  }

  kill(): void {
    if (this.isDead) return
    this.isDead = true
    this.#waiting = undefined
    for (const callback of this.#deaths) callback()
  }

  pause(): void {
    this.#waiting ??= []
  }

  resume(): void {
    const waiting = this.#waiting ?? []
    this.#waiting = undefined
    for (const callback of waiting) this.receive(callback)
  }
}

function processClock(process: SimProcess, world: SimWorld, skewMs: number): Clock {
  const schedule = (delayMs: number, callback: () => void): (() => void) => {
    let isCancelled = false
    const cancel = world.clock.schedule(delayMs, () =>
      process.receive(() => {
        if (!isCancelled) callback()
      }),
    )
    return () => {
      isCancelled = true
      cancel()
    }
  }
  return {
    nowMs: () => world.nowMs + skewMs,
    schedule,
    sleep: (durationMs, signal) => {
      if (signal?.aborted) return Promise.resolve()
      return new Promise((resolve) => {
        const finish = (): void => {
          cancel()
          signal?.removeEventListener('abort', finish)
          resolve()
        }
        const cancel = schedule(durationMs, finish)
        signal?.addEventListener('abort', finish, { once: true })
      })
    },
  }
}
