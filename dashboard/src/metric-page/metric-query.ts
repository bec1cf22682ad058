/**
 * What a metric's page asks: first what the metric is and which labels its series have, then the spread over all servers and the ranks of
 * some, kept current by closed minutes (use-metric-live.ts) and now and then read again. What was final and is different when it is read again is a late correction, and remembered.
 */
import type { MetricSeriesAnswer, MetricSummaryAnswer } from '@minutely/schema/query-wire'
import { keepPreviousData, useQuery, useQueryClient } from '@tanstack/react-query'
import { readMetricList, readMetrics, retryAfter } from '../api.ts'
import { type Corrections, noCorrections, withCorrections } from '../corrections.ts'
import { withFittingStep } from '../finest-step.ts'
import { readFirstSeries, readRanking, readSummary } from '../metric-api.ts'
import { type Column, columnOf } from '../range-columns.ts'
import { hourMs, type View } from '../time-range.ts'
import { type Unit, unitOf } from '../unit.ts'
import type { Labels, MetricView } from './metric-view.ts'

/** Outer band, inner band, median. */
export const quantiles = [0.05, 0.25, 0.5, 0.75, 0.95] as const
export const retryMs = 5_000
const pollMs = 60_000
/** Less than a minute, so that each minute may find it due. */
const rereadMsMin = 45_000
const listedMax = 1000

export type MetricFacts =
  | { readonly kind: 'unknown' }
  | { readonly kind: 'known'; readonly unit: Unit; readonly labelSets: readonly Labels[] }

/** Labels are those of one server: the others send the same kinds of things. */
export function useFacts(metricId: string, nowMs: number) {
  return useQuery({
    queryKey: ['metric-facts', metricId],
    queryFn: async ({ signal }): Promise<MetricFacts> => {
      // Asked of the list first, because browsers write every 404 to their console.
      const { metrics, nextCursor } = await readMetricList({ query: metricId, limit: listedMax, cursor: null }, signal)
      if (nextCursor === null && !metrics.some((metric) => metric.metricId === metricId)) return { kind: 'unknown' }
      const toMs = Math.floor(nowMs / hourMs) * hourMs
      const window = { fromMs: toMs - hourMs, toMs, stepMs: hourMs }
      const [first] = (await readFirstSeries({ metricId, window }, signal)).series
      if (first?.serverId === undefined) return { kind: 'unknown' }
      const entries = (await readMetrics(first.serverId, signal)).metrics
      const labelSets = entries.filter((entry) => entry.metricId === metricId).map(({ labels }) => labels)
      return { kind: 'known', unit: unitOf(metricId), labelSets }
    },
    staleTime: 5 * pollMs,
    refetchInterval: ({ state: { error, data } }) => (error !== null || data?.kind === 'unknown' ? retryMs : false),
  })
}

export interface MetricData {
  readonly summary: MetricSummaryAnswer
  /** In the order of their ranks. */
  readonly ranked: readonly RankedSeries[]
  readonly matchedSeriesCount: number
  readonly startMs: number
  readonly endMs: number
  readonly stepMs: number
  readonly completeThroughMs: number
  readonly corrections: Corrections
  /** How long the answer took: what took long is asked for less often. */
  readonly tookMs: number
}

export interface RankedSeries extends Column {
  readonly serverId: string
}

export interface MetricQuestion {
  readonly metricId: string
  readonly view: View
  readonly stepMsMin: number
  readonly nowMs: number
  readonly asked: Omit<MetricView, 'labels'>
  /** As the API takes them. */
  readonly labels: readonly string[]
}

export function metricKeyOf({ metricId, view, stepMsMin, asked, labels }: MetricQuestion): readonly unknown[] {
  return ['metric', metricId, view, stepMsMin, asked, labels]
}

/** Minutes come by themselves; late corrections and new ranks are found by reading again, for half a percent of the API's time. */
export function rereadAfter(tookMs: number): number {
  return Math.min(10 * pollMs, Math.max(rereadMsMin, 200 * tookMs))
}

export function useMetric(question: MetricQuestion, enabled: boolean) {
  const { metricId, view, stepMsMin, nowMs, asked, labels } = question
  const queries = useQueryClient()
  const queryKey = metricKeyOf(question)
  return useQuery({
    queryKey,
    queryFn: async ({ signal }): Promise<MetricData> => {
      const startedMs = performance.now()
      const read = await withFittingStep(view, { nowMs, stepMsMin }, async (window) => {
        const common = { metricId, window, labels, by: asked.by }
        const [summary, ranking] = await Promise.all([
          readSummary({ ...common, per: asked.per, quantiles }, signal),
          readRanking({ ...common, order: asked.order, limit: asked.n }, signal),
        ])
        return metricData(summary, ranking)
      })
      const data = { ...read, tookMs: performance.now() - startedMs }
      const before = queries.getQueryData<MetricData>(queryKey)
      return before === undefined ? data : { ...data, corrections: correctionsOf(before, data) }
    },
    enabled,
    // While a zoom or another choice is on its way, what is there stays.
    placeholderData: keepPreviousData,
    structuralSharing: false,
    staleTime: pollMs,
    gcTime: pollMs,
    // Each minute that comes starts it anew: it is for when none comes. use-metric-live.ts reads again otherwise.
    refetchInterval: ({ state: { error } }) => (error === null ? 2 * pollMs : retryAfter(error, retryMs)),
  })
}

export function metricData(summary: MetricSummaryAnswer, ranking: MetricSeriesAnswer): MetricData {
  const { startMs, endMs, stepMs } = summary
  const length = (endMs - startMs) / stepMs
  return {
    summary,
    ranked: ranking.series.map((series) => {
      const column = columnOf(series, length)
      const serverId = series.serverId ?? ''
      return { ...column, serverId, key: JSON.stringify([serverId, column.key]) }
    }),
    matchedSeriesCount: summary.matchedSeriesCount,
    startMs,
    endMs,
    stepMs,
    // Of two answers the earlier one may have been read before a minute was closed.
    completeThroughMs: Math.min(summary.completeThroughMs, ranking.completeThroughMs),
    corrections: noCorrections,
    tookMs: 0,
  }
}

function correctionsOf(before: MetricData, after: MetricData): Corrections {
  const [old, now] = [before, after].map((data) => {
    const { startMs, endMs, stepMs, completeThroughMs, summary } = data
    const length = (endMs - startMs) / stepMs
    const columns = [columnOf({ metricId: summary.metricId, labels: {}, ...summary.samples }, length)]
    return { startMs, endMs, stepMs, completeThroughMs, columns }
  })
  if (old === undefined || now === undefined) return before.corrections
  return withCorrections(before.corrections, { before: old, after: now })
}
