/**
 * A question about a range, read from the query string: which series, which steps, which aggregations. Names and
 * meaning are fixed for clients.
 */
import { metricIdLengthMax, metricIdPattern, serverIdLengthMax, serverIdPattern } from '@minutely/schema/limits'
import { type Aggregation, aggregations } from '@minutely/schema/query-wire'
import type { QueryConfig } from './config.ts'
import { labelParameters } from './label-filter.ts'
import { invalid, Parameters, show } from './parameters.ts'
import { readSelector, type SeriesSelector } from './series-selector.ts'
import { readTimeRange, type TimeRange } from './time-range.ts'

export interface RangeQuestion {
  readonly selector: SeriesSelector
  readonly range: TimeRange
  /** In the order of the contract, whatever the order in the question. */
  readonly aggregations: readonly Aggregation[]
}

export interface ServerQuestion extends RangeQuestion {
  readonly serverId: string
}

/** `serverId` ascending, or the series with the highest (or lowest) value of the whole range first. */
export interface SeriesOrder {
  readonly by: Aggregation | 'serverId'
  readonly descending: boolean
}

export interface MetricQuestion extends RangeQuestion {
  readonly metricId: string
  readonly limit: number
  readonly order: SeriesOrder
  /** Of avg across series, per step; each in [0, 1]. */
  readonly quantiles: readonly number[]
}

export const rangeParameters: readonly string[] = ['from', 'to', 'stepMs', 'agg', ...labelParameters]
export const serverRangeParameters: readonly string[] = ['metricId', ...rangeParameters]
export const metricRangeParameters: readonly string[] = [...rangeParameters, 'limit', 'order', 'by', 'quantile']

const quantilesMax = 10
const metricLimitDefault = 100
/** `top` and `bottom` are by what `by` says; `max` and the like say both at once. */
export const metricOrders = [
  'serverId',
  'top',
  'bottom',
  ...aggregations.flatMap((name) => [name, `${name}:desc`, `${name}:asc`] as const),
] as const

export interface Asked {
  readonly query: unknown
  readonly nowMs: number
  readonly config: QueryConfig
}

export function readServerQuestion(serverId: string, asked: Asked): ServerQuestion {
  const parameters = new Parameters(asked.query, serverRangeParameters)
  return { serverId: readServerId(serverId), ...readRangeQuestion(parameters, asked) }
}

export function readMetricQuestion(metricId: string, asked: Asked): MetricQuestion {
  const parameters = new Parameters(asked.query, metricRangeParameters)
  const question = readRangeQuestion(parameters, asked)
  return {
    ...question,
    metricId: readMetricId(metricId),
    selector: { ...question.selector, metricGlobs: [metricId] },
    limit: parameters.integer('limit', {
      min: 1,
      max: asked.config.seriesMax,
      default: Math.min(metricLimitDefault, asked.config.seriesMax),
    }),
    order: readOrder(parameters),
    quantiles: readQuantiles(parameters),
  }
}

function readOrder(parameters: Parameters): SeriesOrder {
  const word = parameters.word('order', metricOrders) ?? 'serverId'
  const by = parameters.word('by', aggregations)
  if (word === 'top' || word === 'bottom') return { by: by ?? 'avg', descending: word === 'top' }
  if (by !== undefined) throw invalid('by', `goes with order=top or order=bottom, not with order=${word}`)
  const [named, direction] = word.split(':') as [SeriesOrder['by'], string?]
  return { by: named, descending: named !== 'serverId' && direction !== 'asc' }
}

export function readRangeQuestion(parameters: Parameters, asked: Asked): RangeQuestion {
  return {
    selector: readSelector(parameters),
    range: readTimeRange(parameters, { nowMs: asked.nowMs, rangeDaysMax: asked.config.rangeDaysMax }),
    aggregations: readAggregations(parameters),
  }
}

/** All of them when none is named. */
export function readAggregations(parameters: Parameters): Aggregation[] {
  const wanted = parameters.list('agg')
  const unknown = wanted.find((name) => !(aggregations as readonly string[]).includes(name))
  if (unknown !== undefined) throw invalid('agg', `is ${show(unknown)}, it must be of ${aggregations.join(', ')}`)
  return aggregations.filter((name) => wanted.length === 0 || wanted.includes(name))
}

export function readQuantiles(parameters: Parameters): number[] {
  const texts = parameters.list('quantile')
  if (texts.length > quantilesMax)
    throw invalid('quantile', `has ${texts.length} items, at most ${quantilesMax} are read`)
  return texts.map((text) => {
    const quantile = /^(0(\.\d{1,9})?|1(\.0{1,9})?)$/.test(text) ? Number(text) : Number.NaN
    if (Number.isNaN(quantile)) throw invalid('quantile', `is ${show(text)}, it must be from 0 to 1, e.g. 0.95`)
    return quantile
  })
}

export function readServerId(serverId: string): string {
  if (serverId.length <= serverIdLengthMax && serverIdPattern.test(serverId)) return serverId
  throw invalid(
    'serverId',
    `is ${show(serverId)}; a server id matches ${serverIdPattern.source}, ${serverIdLengthMax} characters at most`,
  )
}

export function readMetricId(metricId: string): string {
  if (metricId.length <= metricIdLengthMax && metricIdPattern.test(metricId)) return metricId
  throw invalid(
    'metricId',
    `is ${show(metricId)}; a metric name matches ${metricIdPattern.source}, ${metricIdLengthMax} characters at most`,
  )
}
