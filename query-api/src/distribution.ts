/**
 * How many values lie in which bucket, step by step, while they come in any order. A bucket is [bound, next bound).
 *
 * With given bounds: what lies outside is counted as below or above. Without: buckets are as narrow as they can be so that
 * all values, of all steps, lie in at most bucketsMax of them. Their width is a power of two and their bounds are multiples of
 * it. So buckets nest: when a value lies outside, the width is doubled until all fit, and pairs of counts are added. What comes out is the same
 * for any order of the same values, and bounds are exact.
 *
 *   width 1   | 4..5 | 5..6 | 6..7 | 7..8 |        a 9 comes, 4 buckets at most
 *   width 2   |    4..6     |    6..8     |    8..10    |
 *
 * Memory: a count of 4 bytes for each step and bucket.
 */

export interface DistributionColumns {
  /** Ascending, one more than there are buckets; empty when there is no value at all. */
  readonly bounds: readonly number[]
  /** For each bucket a column, one slot a step. */
  readonly counts: readonly (readonly number[])[]
  readonly below: readonly number[]
  readonly above: readonly number[]
}

export interface Distribution {
  add(step: number, value: number): void
  columns(): DistributionColumns
}

/** Buckets are never narrower than this part of the largest value: their numbers stay small and exact. */
const finestExponent = -20
/** Narrowest of all, 2^-1000; with it until a value other than 0 comes. */
const exponentMin = -1000
/** Halving a bucket's number more often than this changes nothing. */
const shiftMax = 1000

export class NestingDistribution implements Distribution {
  readonly #stepCount: number
  readonly #bucketsMax: number
  /** [step][bucket - #first] */
  #counts: Uint32Array
  #exponent = exponentMin
  #first = 0
  #min = Number.POSITIVE_INFINITY
  #max = Number.NEGATIVE_INFINITY

  constructor(stepCount: number, bucketsMax: number) {
    this.#stepCount = stepCount
    this.#bucketsMax = bucketsMax
    this.#counts = new Uint32Array(stepCount * bucketsMax)
  }

  add(step: number, value: number): void {
    if (value < this.#min || value > this.#max) this.#cover(value)
    const slot = step * this.#bucketsMax + this.#bucketOf(value) - this.#first
    this.#counts[slot] = (this.#counts[slot] as number) + 1
  }

  columns(): DistributionColumns {
    const steps = Array.from({ length: this.#stepCount }, (_, step) => step)
    const none = steps.map(() => 0)
    if (this.#min > this.#max) return { bounds: [], counts: [], below: none, above: none }
    const isZero = this.#min === 0 && this.#max === 0
    const low = this.#bucketOf(this.#min)
    const bucketCount = this.#bucketOf(this.#max) - low + 1
    const before = low - this.#first
    const width = isZero ? 1 : 2 ** this.#exponent
    return {
      bounds: Array.from({ length: bucketCount + 1 }, (_, bucket) => (low + bucket) * width),
      counts: Array.from({ length: bucketCount }, (_, bucket) =>
        steps.map((step) => this.#counts[step * this.#bucketsMax + before + bucket] as number),
      ),
      below: none,
      above: none,
    }
  }

  #bucketOf(value: number): number {
    const bucket = Math.floor(value / 2 ** this.#exponent)
    // Division may have made nothing of it.
    return bucket === 0 && value < 0 ? -1 : bucket
  }

  #cover(value: number): void {
    const [firstBefore, exponentBefore] = [this.#first, this.#exponent]
    const isFirst = this.#min > this.#max
    this.#min = Math.min(this.#min, value)
    this.#max = Math.max(this.#max, value)
    const largest = Math.max(Math.abs(this.#min), Math.abs(this.#max))
    const finest = largest === 0 ? exponentMin : Math.floor(Math.log2(largest)) + finestExponent
    this.#exponent = Math.max(this.#exponent, finest)
    while (this.#bucketOf(this.#max) - this.#bucketOf(this.#min) >= this.#bucketsMax) this.#exponent++
    const [low, high] = [this.#bucketOf(this.#min), this.#bucketOf(this.#max)]
    const fits = low >= firstBefore && high < firstBefore + this.#bucketsMax
    if (!isFirst && fits && this.#exponent === exponentBefore) return
    // Half of the room on each side: values that fall or rise all the time are regrouped a few times, not for each bucket.
    this.#first = low - Math.floor((this.#bucketsMax - (high - low + 1)) / 2)
    if (!isFirst) this.#regroup(firstBefore, this.#exponent - exponentBefore)
  }

  #regroup(firstBefore: number, doublings: number): void {
    const bucketsMax = this.#bucketsMax
    const counts = new Uint32Array(this.#counts.length)
    const factor = 2 ** Math.min(doublings, shiftMax)
    for (let bucket = 0; bucket < bucketsMax; bucket++) {
      const target = Math.floor((firstBefore + bucket) / factor) - this.#first
      // Those beyond are empty.
      if (target < 0 || target >= bucketsMax) continue
      for (let row = 0; row < counts.length; row += bucketsMax) {
        counts[row + target] = (counts[row + target] as number) + (this.#counts[row + bucket] as number)
      }
    }
    this.#counts = counts
  }
}

export class GivenDistribution implements Distribution {
  readonly #stepCount: number
  readonly #bounds: readonly number[]
  /** [step][below, buckets, above] */
  readonly #counts: Uint32Array

  /** Ascending, two or more. */
  constructor(stepCount: number, bounds: readonly number[]) {
    this.#stepCount = stepCount
    this.#bounds = bounds
    this.#counts = new Uint32Array(stepCount * (bounds.length + 1))
  }

  add(step: number, value: number): void {
    const bounds = this.#bounds
    let [low, high] = [0, bounds.length]
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((bounds[middle] as number) <= value) low = middle + 1
      else high = middle
    }
    const slot = step * (bounds.length + 1) + low
    this.#counts[slot] = (this.#counts[slot] as number) + 1
  }

  columns(): DistributionColumns {
    const bounds = this.#bounds
    const column = (place: number): number[] =>
      Array.from({ length: this.#stepCount }, (_, step) => this.#counts[step * (bounds.length + 1) + place] as number)
    return {
      bounds,
      counts: bounds.slice(1).map((_, bucket) => column(bucket + 1)),
      below: column(0),
      above: column(bounds.length),
    }
  }
}
