/**
 * The points of one series, as they come: a second and a value each, in arrays that grow. `settle` makes a set of them: in the order of
 * time, the first value of a second wins. Pure. Seconds are since 1970 and fit into 32 bits until 2106.
 */
const capacityMin = 64
export const pointBytes = 12

export interface RunCounts {
  duplicate: number
  conflict: number
}

export class PointRuns {
  seconds = new Uint32Array(capacityMin)
  values = new Float64Array(capacityMin)
  count = 0
  #isSettled = true

  get bytes(): number {
    return this.seconds.length * pointBytes
  }

  /** -0 becomes 0, as in a window: there is only one zero. @returns bytes that this takes more than before. */
  add(second: number, value: number): number {
    const index = this.count++
    let grown = 0
    if (index === this.seconds.length) grown = this.#grow()
    if (index > 0 && second <= (this.seconds[index - 1] as number)) this.#isSettled = false
    this.seconds[index] = second
    this.values[index] = value + 0
    return grown
  }

  #grow(): number {
    const capacity = this.seconds.length * 2
    const [seconds, values] = [new Uint32Array(capacity), new Float64Array(capacity)]
    seconds.set(this.seconds)
    values.set(this.values)
    const grown = (capacity - this.seconds.length) * pointBytes
    this.seconds = seconds
    this.values = values
    return grown
  }

  settle(counts: RunCounts): void {
    if (this.#isSettled) return
    const order = this.#order()
    const [seconds, values] = [new Uint32Array(this.count), new Float64Array(this.count)]
    let kept = 0
    for (let index = 0; index < this.count; index++) {
      const from = order[index] as number
      const [second, value] = [this.seconds[from] as number, this.values[from] as number]
      if (kept > 0 && seconds[kept - 1] === second) {
        if (values[kept - 1] === value) counts.duplicate++
        else counts.conflict++
        continue
      }
      seconds[kept] = second
      values[kept++] = value
    }
    this.seconds = seconds
    this.values = values
    this.count = kept
    this.#isSettled = true
  }

  /** Indexes by second, then as they came. */
  #order(): Uint32Array {
    const { count, seconds } = this
    let [first, last] = [seconds[0] as number, seconds[0] as number]
    for (let index = 1; index < count; index++) {
      first = Math.min(first, seconds[index] as number)
      last = Math.max(last, seconds[index] as number)
    }
    const order = new Uint32Array(count)
    if ((last - first + 1) * count < Number.MAX_SAFE_INTEGER) {
      // Both in one number, which sorts without a comparator: about 15 times as fast.
      const keys = Float64Array.from(
        { length: count },
        (_, index) => ((seconds[index] as number) - first) * count + index,
      )
      keys.sort()
      for (let index = 0; index < count; index++) order[index] = (keys[index] as number) % count
      return order
    }
    for (let index = 0; index < count; index++) order[index] = index
    return order.sort((a, b) => (seconds[a] as number) - (seconds[b] as number) || a - b)
  }

  /** The first index, from `from` on, whose second is not before this one. Settled only. */
  indexOf(second: number, from: number): number {
    let [low, high] = [from, this.count]
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((this.seconds[middle] as number) < second) low = middle + 1
      else high = middle
    }
    return low
  }
}
