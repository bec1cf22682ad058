/**
 * The timers of a VirtualClock, earliest first: a binary heap that knows where each timer stands, so that a cancelled one leaves at once.
 * A simulated process cancels most of its timers; with a scan of all of them for the earliest, a run's cost grew with their square.
 */

export interface VirtualTimer {
  /** Ms since the epoch. */
  readonly dueMs: number
  /** Of its creation: of two that are due at once the older one is first. */
  readonly sequence: number
  readonly callback: () => void
  /** Where it stands in the heap; -1 when it does not. */
  at: number
}

export class TimerHeap {
  /** Each is before its children, which are at 2n + 1 and 2n + 2. */
  readonly #timers: VirtualTimer[] = []

  get size(): number {
    return this.#timers.length
  }

  get first(): VirtualTimer | undefined {
    return this.#timers[0]
  }

  add(timer: VirtualTimer): void {
    this.#timers.push(timer)
    this.#rise(timer, this.#timers.length - 1)
  }

  /** Harmless when it is gone already. */
  remove(timer: VirtualTimer): void {
    const { at } = timer
    if (at < 0) return
    timer.at = -1
    const last = this.#timers.pop()
    if (last === undefined || last === timer) return
    this.#rise(last, this.#sink(at, last))
  }

  #rise(timer: VirtualTimer, from: number): void {
    let at = from
    while (at > 0) {
      const parentAt = (at - 1) >> 1
      const parent = this.#timers[parentAt]
      if (parent === undefined || isBefore(parent, timer)) break
      this.#put(parent, at)
      at = parentAt
    }
    this.#put(timer, at)
  }

  /** Moves the children up that are before the timer. @returns the place that is free for it then. */
  #sink(from: number, timer: VirtualTimer): number {
    for (let at = from; ; ) {
      const [left, right] = [this.#timers[2 * at + 1], this.#timers[2 * at + 2]]
      if (left === undefined) return at
      const child = right !== undefined && isBefore(right, left) ? right : left
      if (isBefore(timer, child)) return at
      const childAt = child.at
      this.#put(child, at)
      at = childAt
    }
  }

  #put(timer: VirtualTimer, at: number): void {
    this.#timers[at] = timer
    timer.at = at
  }
}

function isBefore(one: VirtualTimer, other: VirtualTimer): boolean {
  return one.dueMs < other.dueMs || (one.dueMs === other.dueMs && one.sequence < other.sequence)
}
