/** One metric across servers, over HTTP. */
import type { Aggregation, MetricSeriesAnswer, MetricSummaryAnswer, SummaryPer } from '@minutely/schema/query-wire'
import { read } from './api.ts'
import type { Window } from './time-range.ts'

export interface AcrossQuestion {
  readonly metricId: string
  readonly window: Window
  /** `name:value`, as the API takes them. */
  readonly labels: readonly string[]
  readonly by: Aggregation
}

export interface RankingQuestion extends AcrossQuestion {
  readonly order: 'top' | 'bottom'
  readonly limit: number
}

export interface SummaryQuestion extends AcrossQuestion {
  readonly per: SummaryPer
  readonly quantiles: readonly number[]
}

export function readSummary(question: SummaryQuestion, signal: AbortSignal): Promise<MetricSummaryAnswer> {
  const params = paramsOf(question)
  params.set('buckets', '0')
  params.set('per', question.per)
  for (const quantile of question.quantiles) params.append('quantile', String(quantile))
  return read(`${pathOf(question)}/summary?${params}`, signal)
}

export function readRanking(question: RankingQuestion, signal: AbortSignal): Promise<MetricSeriesAnswer> {
  const params = paramsOf(question)
  params.set('order', question.order)
  params.set('limit', String(question.limit))
  return read(`${pathOf(question)}/series?${params}`, signal)
}

/** Its closed minutes, with the values of the first servers. */
export function metricLiveUrl(
  question: Omit<SummaryQuestion, 'window'> & { order: 'top' | 'bottom'; limit: number },
): string {
  const { by, per, order, limit, labels, quantiles } = question
  const params = new URLSearchParams({ by, per, order, limit: String(limit) })
  for (const quantile of quantiles) params.append('quantile', String(quantile))
  for (const label of labels) params.append('label', label)
  return `${pathOf(question)}/live?${params}`
}

/** The first series by server id, whatever it has in the window. */
export function readFirstSeries(
  { metricId, window }: Pick<AcrossQuestion, 'metricId' | 'window'>,
  signal: AbortSignal,
): Promise<MetricSeriesAnswer> {
  const { fromMs, toMs, stepMs } = window
  const params = new URLSearchParams({ from: String(fromMs), to: String(toMs), stepMs: String(stepMs), limit: '1' })
  return read(`${pathOf({ metricId })}/series?${params}`, signal)
}

function pathOf({ metricId }: Pick<AcrossQuestion, 'metricId'>): string {
  return `/v1/metrics/${encodeURIComponent(metricId)}`
}

function paramsOf({ window, labels, by }: AcrossQuestion): URLSearchParams {
  const { fromMs, toMs, stepMs } = window
  const params = new URLSearchParams({ from: String(fromMs), to: String(toMs), stepMs: String(stepMs), by })
  for (const label of labels) params.append('label', label)
  return params
}
