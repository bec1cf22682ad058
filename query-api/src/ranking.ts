/**
 * The highest (or lowest) few of many values, step by step: a sorted list of at most `limit` a step, so a value that is not among them
 * costs one comparison. Equal values stay in the order in which they came. Pure.
 */
import type { RankingOrder } from '@minutely/schema/live-wire'

export interface Ranked {
  readonly unit: number
  readonly value: number
}

export class Ranking {
  readonly #limit: number
  readonly #sign: 1 | -1
  readonly #steps: Ranked[][]

  constructor(stepCount: number, { limit, order }: { readonly limit: number; readonly order: RankingOrder }) {
    this.#limit = limit
    this.#sign = order === 'top' ? -1 : 1
    this.#steps = Array.from({ length: stepCount }, () => [])
  }

  add(step: number, unit: number, value: number): void {
    const list = this.#steps[step] as Ranked[]
    const last = list.at(-1)
    if (list.length >= this.#limit) {
      if (last === undefined || !this.#isBefore(value, last.value)) return
      list.pop()
    }
    let [from, to] = [0, list.length]
    while (from < to) {
      const middle = (from + to) >>> 1
      if (this.#isBefore(value, (list[middle] as Ranked).value)) to = middle
      else from = middle + 1
    }
    list.splice(from, 0, { unit, value })
  }

  /** In order. */
  of(step: number): readonly Ranked[] {
    return this.#steps[step] ?? []
  }

  #isBefore(value: number, other: number): boolean {
    return this.#sign * value < this.#sign * other
  }
}
