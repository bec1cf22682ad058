/** Work that waits its turn: so many at one time, in the order in which it came. */
export class WorkLane {
  readonly #runningMax: number
  readonly #waiting: (() => Promise<void>)[] = []
  readonly #running = new Set<Promise<void>>()

  constructor(runningMax: number) {
    this.#runningMax = runningMax
  }

  do<T>(work: () => Promise<T>): Promise<T> {
    const done = Promise.withResolvers<T>()
    this.#waiting.push(() => work().then(done.resolve, done.reject))
    this.#startMore()
    return done.promise
  }

  /** Resolves when nothing waits or runs. */
  async idle(): Promise<void> {
    while (this.#running.size > 0) await Promise.all(this.#running)
  }

  #startMore(): void {
    while (this.#running.size < this.#runningMax) {
      const next = this.#waiting.shift()
      if (next === undefined) return
      const running = next().finally(() => {
        this.#running.delete(running)
        this.#startMore()
      })
      this.#running.add(running)
    }
  }
}
