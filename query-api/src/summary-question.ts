/** A question for one metric across servers, put together: what is read from its query string. */
import { type Aggregation, aggregations, type SummaryPer, summaryPers } from '@minutely/schema/query-wire'
import { invalid, Parameters, show } from './parameters.ts'
import { type Asked, rangeParameters, readMetricId, readQuantiles, readRangeQuestion } from './range-question.ts'
import type { SeriesSelector } from './series-selector.ts'
import type { TimeRange } from './time-range.ts'

export interface SummaryQuestion {
  readonly metricId: string
  readonly selector: SeriesSelector
  readonly range: TimeRange
  readonly aggregations: readonly Aggregation[]
  /** Which aggregation of a server (or series) in a step is its value. */
  readonly by: Aggregation
  readonly per: SummaryPer
  readonly quantiles: readonly number[]
  /** Most of them; 0: no distribution. Not used where bounds are given. */
  readonly buckets: number
  /** Ascending; empty: none given. */
  readonly bounds: readonly number[]
}

export const summaryParameters: readonly string[] = [...rangeParameters, 'by', 'per', 'quantile', 'buckets', 'bounds']
export const bucketLimit = { min: 0, max: 100, default: 20 } as const
export const quantilesDefault: readonly number[] = [0.5, 0.95]

export function readSummaryQuestion(metricId: string, asked: Asked): SummaryQuestion {
  const parameters = new Parameters(asked.query, summaryParameters)
  const question = readRangeQuestion(parameters, asked)
  const named = parameters.list('quantile')
  const isNone = named.length === 1 && named[0] === 'none'
  const bounds = readBounds(parameters)
  if (bounds.length > 0 && parameters.single('buckets') !== undefined) {
    throw invalid('buckets', 'and bounds exclude each other: bounds say how many buckets there are')
  }
  const buckets = parameters.integer('buckets', bucketLimit)
  if (buckets === 1) throw invalid('buckets', `is 1, it must be 0 for no distribution, or from 2 to ${bucketLimit.max}`)
  return {
    ...question,
    metricId: readMetricId(metricId),
    selector: { ...question.selector, metricGlobs: [metricId] },
    by: parameters.word('by', aggregations) ?? 'avg',
    per: parameters.word('per', summaryPers) ?? 'server',
    quantiles: isNone ? [] : named.length === 0 ? quantilesDefault : readQuantiles(parameters),
    buckets,
    bounds,
  }
}

function readBounds(parameters: Parameters): number[] {
  const texts = parameters.list('bounds')
  if (texts.length === 0) return []
  if (texts.length < 2 || texts.length > bucketLimit.max + 1) {
    throw invalid('bounds', `has ${texts.length} items, it must have 2 to ${bucketLimit.max + 1}`)
  }
  const bounds = texts.map((text) => {
    const value = /^-?\d{1,300}(\.\d{1,300})?([eE][+-]?\d{1,3})?$/.test(text) ? Number(text) : Number.NaN
    if (!Number.isFinite(value)) throw invalid('bounds', `has ${show(text)}, which is no number`)
    return value
  })
  const wrong = bounds.findIndex((bound, index) => index > 0 && bound <= (bounds[index - 1] as number))
  if (wrong < 0) return bounds
  throw invalid('bounds', `are not ascending: ${show(texts[wrong] ?? '')} follows ${show(texts[wrong - 1] ?? '')}`)
}
