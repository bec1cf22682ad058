/** Random numbers from a seed: the same seed, the same faults in the same order. Mulberry32. */
export class SeededRandom {
  #state: number

  constructor(seed: number) {
    this.#state = seed | 0
  }

  /** In [0, 1). */
  readonly next = (): number => {
    this.#state = (this.#state + 0x6d2b79f5) | 0
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }

  /** In [min, max). */
  between(min: number, max: number): number {
    return min + this.next() * (max - min)
  }

  /** Undefined of an empty list. */
  pick<T>(list: readonly T[]): T | undefined {
    return list[Math.floor(this.next() * list.length)]
  }

  shuffled<T>(list: readonly T[]): T[] {
    const rest = [...list]
    const result: T[] = []
    while (rest.length > 0) result.push(...rest.splice(Math.floor(this.next() * rest.length), 1))
    return result
  }
}
