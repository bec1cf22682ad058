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
 * Rows are added up in their order, whatever order minutes came in, so sums are the same bytes wherever minutes were read from.
 */
import { mergeSums, sumRow } from '@minutely/schema/decimal-sum'
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
  /** Of the step at hand, by unit that has a value. */
  #values = new Float64Array(0)
  #sums = new Float64Array(0)

  constructor(stepCount: number, options: SummaryOptions) {
    this.stepCount = stepCount
    this.options = options
    this.samples = new Columns(stepCount)
    this.across = new Columns(stepCount)
    this.quantiles = options.quantiles.map(() => new Float64Array(stepCount))
  }

  /** `firstStep`: where the slab's first step lies in the whole. */
  fold(slab: StepMatrix, units: Units, firstStep: number): void {
    if (this.#values.length < units.length) {
      this.#values = new Float64Array(units.length)
      this.#sums = new Float64Array(units.length)
    }
    for (let step = 0; step < slab.range.stepCount; step++)
      this.#foldStep(slab, units, { step, into: firstStep + step })
  }

  #foldStep(slab: StepMatrix, units: Units, { step, into }: { step: number; into: number }): void {
    const { stepCount } = slab.range
    const { by, distribution, ranking } = this.options
    const [values, sums] = [this.#values, this.#sums]
    const unit = { min: 0, max: 0, sum: 0, count: 0 }
    let [valueCount, sampleCount] = [0, 0]
    let [samplesMin, samplesMax, acrossMin, acrossMax] = [Infinity, -Infinity, Infinity, -Infinity]
    for (let at = 0; at + 1 < units.length; at++) {
      unit.count = 0
      for (let row = units[at] as number; row < (units[at + 1] as number); row++)
        mergeSlot(unit, slab, row * stepCount + step)
      if (unit.count === 0) continue
      if (unit.min < samplesMin) samplesMin = unit.min
      if (unit.max > samplesMax) samplesMax = unit.max
      sampleCount += unit.count
      const value = aggregated(unit, by)
      if (value < acrossMin) acrossMin = value
      if (value > acrossMax) acrossMax = value
      distribution?.add(into, value)
      ranking?.add(into, at, value)
      sums[valueCount] = unit.sum
      values[valueCount++] = value
    }
    if (valueCount > 0) {
      const sum = sumRow(sums, 0, valueCount)
      this.samples.put(into, { min: samplesMin, max: samplesMax, sum, count: sampleCount })
      const across = { min: acrossMin, max: acrossMax, sum: sumRow(values, 0, valueCount), count: valueCount }
      this.across.put(into, across)
    }
    if (this.quantiles.length === 0) return
    const sorted = values.subarray(0, valueCount).sort()
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

  put(step: number, { min, max, sum, count }: MinuteValues): void {
    this.min[step] = min
    this.max[step] = max
    this.sum[step] = sum
    this.count[step] = count
  }

  /** Null where nothing was put. */
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
