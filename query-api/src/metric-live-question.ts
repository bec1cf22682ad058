/** What a viewer of a metric's live stream asks for: parameters as /series and /summary of that metric have them. */
import { type RankingOrder, rankingOrders } from '@minutely/schema/live-wire'
import { type Aggregation, aggregations, type SummaryPer, summaryPers } from '@minutely/schema/query-wire'
import { type LabelFilters, labelParameters, readLabelFilters } from './label-filter.ts'
import { Parameters } from './parameters.ts'
import { readMetricId, readQuantiles } from './range-question.ts'
import { quantilesDefault } from './summary-question.ts'

export interface MetricLiveQuestion {
  readonly metricId: string
  readonly labelFilters: LabelFilters
  readonly by: Aggregation
  readonly per: SummaryPer
  readonly quantiles: readonly number[]
  readonly order: RankingOrder
  /** Of the ranking; 0: none. */
  readonly limit: number
  /** Equal questions have equal ones. */
  readonly key: string
}

export const metricLiveParameters: readonly string[] = [...labelParameters, 'by', 'per', 'quantile', 'order', 'limit']
export const rankingLimit = { min: 0, max: 100, default: 10 } as const

export function readMetricLiveQuestion(metricId: string, query: unknown): MetricLiveQuestion {
  const parameters = new Parameters(query, metricLiveParameters)
  const quantiles = readQuantiles(parameters)
  const asked = {
    metricId: readMetricId(metricId),
    by: parameters.word('by', aggregations) ?? 'avg',
    per: parameters.word('per', summaryPers) ?? 'server',
    quantiles: quantiles.length > 0 ? quantiles : quantilesDefault,
    order: parameters.word('order', rankingOrders) ?? 'top',
    limit: parameters.integer('limit', rankingLimit),
  }
  const labelFilters = readLabelFilters(parameters)
  return { ...asked, labelFilters, key: JSON.stringify([asked, [...labelFilters]]) }
}
