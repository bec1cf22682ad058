/** Randomness from a seed: the same seed gives the same numbers on every machine (mulberry32). */

export class SimRandom {
  #state: number

  constructor(seed: number) {
    this.#state = seed >>> 0
    // Neighbouring seeds begin alike.
    for (let round = 0; round < 4; round++) this.next()
  }

  /** In [0, 1). */
  readonly next = (): number => {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }

  chance(probability: number): boolean {
    return this.next() < probability
  }

  /** A whole number in [0, end). */
  below(end: number): number {
    return Math.floor(this.next() * end)
  }

  /** A whole number in [from, to]. */
  between(from: number, to: number): number {
    return from + this.below(to - from + 1)
  }

  /** Mostly small, sometimes large: what latencies are like. A whole number in [0, max]. */
  skewed(max: number): number {
    return Math.floor(max * this.next() ** 4)
  }

  pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)] as T
  }

  /** A stream of its own, so that what one draws does not move the others. */
  fork(): SimRandom {
    return new SimRandom(Math.floor(this.next() * 2 ** 32))
  }
}
