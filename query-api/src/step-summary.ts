/**
 * One metric across servers, step by step: what a matrix of series comes to when its rows are put together. Fed a slab of
 * steps at a time, all series of each, so that it holds its columns and one slab, not series x steps of the range. Pure.
 *
 *             slab 1        slab 2
 *   web-1   | . . . . . | . . . . . |           samples   every sample alike: min, max, sum, count merged as steps are
 *   web-2   | . . . . . | . . . . . |    ->     across    of one value per server (or series) and step: min, max, sum, count, avg
 *   web-3   | . . . . . | . . . . . |           quantiles, distribution   of the same values
 *
 * A server's value is the asked aggregation of all its matching series, merged as steps are; per series, of each alone. What
 * has no sample in a step has no value there. A quantile q of n sorted values is linear between the two at q * (n - 1).
 *
 * Rows are added in their order, whatever order minutes came in, so sums are the same bytes wherever minutes were read from.
 */
import { mergeSums } from '@minutely/schema/decimal-sum'
import type { Aggregation } from '@minutely/schema/query-wire'
import type { Distribution } from './distribution.ts'
import type { MinuteValues, StepMatrix } from './step-matrix.ts'

export interface SummaryOptions {
  readonly by: Aggregation
  readonly quantiles: readonly number[]
  readonly distribution: Distribution | undefined
  /** Told every value there is; `unit` is its place in Units. */
  readonly ranking?: { add(step: number, unit: number, value: number): void }
}

/** First rows of the servers (or series); rows of one follow each other. Ends with the number of rows. */
export type Units = readonly number[]

export class StepSummary {
  readonly stepCount: number
  readonly options: SummaryOptions
  /** Of all samples. */
  readonly samples: Columns
  /** Of the values; count is how many there are. */
  readonly across: Columns
  /** [quantile][step], NaN = no value. */
  readonly quantiles: readonly Float64Array[]
  /** Of the step at hand. */
  #values = new Float64Array(0)

  constructor(stepCount: number, options: SummaryOptions) {
    this.stepCount = stepCount
    this.options = options
    this.samples = new Columns(stepCount)
    this.across = new Columns(stepCount)
    this.quantiles = options.quantiles.map(() => new Float64Array(stepCount))
  }

  /** `firstStep`: where the slab's first step lies in the whole. */
  fold(slab: StepMatrix, units: Units, firstStep: number): void {
    if (this.#values.length < units.length) this.#values = new Float64Array(units.length)
    for (let step = 0; step < slab.range.stepCount; step++)
      this.#foldStep(slab, units, { step, into: firstStep + step })
  }

  #foldStep(slab: StepMatrix, units: Units, { step, into }: { step: number; into: number }): void {
    const { stepCount } = slab.range
    const { by, distribution, ranking } = this.options
    const unit = { min: 0, max: 0, sum: 0, count: 0 }
    const single = { min: 0, max: 0, sum: 0, count: 1 }
    let valueCount = 0
    for (let at = 0; at + 1 < units.length; at++) {
      unit.count = 0
      for (let row = units[at] as number; row < (units[at + 1] as number); row++)
        mergeSlot(unit, slab, row * stepCount + step)
      if (unit.count === 0) continue
      this.samples.add(into, unit)
      const value = aggregated(unit, by)
      single.min = single.max = single.sum = value
      this.across.add(into, single)
      distribution?.add(into, value)
      ranking?.add(into, at, value)
      this.#values[valueCount++] = value
    }
    if (this.quantiles.length === 0) return
    const sorted = this.#values.subarray(0, valueCount).sort()
    this.options.quantiles.forEach((quantile, index) => {
      const column = this.quantiles[index] as Float64Array
      column[into] = valueCount === 0 ? Number.NaN : quantileOf(sorted, quantile)
    })
  }
}

/** min, max, sum and count, a slot a step. */
export class Columns {
  readonly min: Float64Array
  readonly max: Float64Array
  readonly sum: Float64Array
  readonly count: Float64Array

  constructor(stepCount: number) {
    this.min = new Float64Array(stepCount)
    this.max = new Float64Array(stepCount)
    this.sum = new Float64Array(stepCount)
    this.count = new Float64Array(stepCount)
  }

  add(step: number, { min, max, sum, count }: MinuteValues): void {
    const before = this.count[step] as number
    this.min[step] = before === 0 ? min : Math.min(this.min[step] as number, min)
    this.max[step] = before === 0 ? max : Math.max(this.max[step] as number, max)
    this.sum[step] = before === 0 ? sum : mergeSums(this.sum[step] as number, sum)
    this.count[step] = before + count
  }

  /** Null where nothing was added. */
  value(aggregation: Aggregation, step: number): number | null {
    const count = this.count[step] as number
    if (count === 0) return null
    if (aggregation === 'avg') return (this.sum[step] as number) / count
    return this[aggregation][step] as number
  }
}

type Merged = { -readonly [key in keyof MinuteValues]: number }

function mergeSlot(into: Merged, slab: StepMatrix, slot: number): void {
  const count = slab.count[slot] as number
  if (count === 0) return
  const [min, max, sum] = [slab.min[slot] as number, slab.max[slot] as number, slab.sum[slot] as number]
  const isFirst = into.count === 0
  into.min = isFirst ? min : Math.min(into.min, min)
  into.max = isFirst ? max : Math.max(into.max, max)
  into.sum = isFirst ? sum : mergeSums(into.sum, sum)
  into.count += count
}

function aggregated(values: MinuteValues, by: Aggregation): number {
  return by === 'avg' ? values.sum / values.count : values[by]
}

/** Linear between the two nearest ranks. */
function quantileOf(sorted: Float64Array, quantile: number): number {
  const position = quantile * (sorted.length - 1)
  const below = sorted[Math.floor(position)] as number
  const above = sorted[Math.ceil(position)] as number
  return below + (above - below) * (position - Math.floor(position))
}
