/**
 * A closed minute of the metric's stream into what was read of its range. Pure.
 *
 * The event says how all servers are spread, and the values of the first ones. A ranked server that is not among these has a value all the
 * same, so it is named as missing and read by itself: left out it would look like a gap.
 */
import type { LiveMetricMinute } from '@minutely/schema/live-wire'
import { cellFields, type RangeColumns } from '../range-columns.ts'
import { minuteMs, type Window } from '../time-range.ts'
import type { Aggregation } from './aggregations.ts'
import type { MetricData, RankedSeries } from './metric-query.ts'

type Slots = readonly (number | null)[]
type Statistics = MetricData['summary']['samples']

export type MinuteVerdict =
  | { readonly kind: 'folded'; readonly data: MetricData; readonly missing: readonly RankedSeries[] }
  /** It is there already, or outside of the range. */
  | { readonly kind: 'known' }
  /** Minutes before it are not known, or it ends a step that is longer. */
  | { readonly kind: 'behind' }

export interface MinuteContext {
  /** Where the range is now. */
  readonly window: Window
  readonly by: Aggregation
  /** Most servers that the event names. */
  readonly rankedMax: number
}

export function foldMinute(data: MetricData, minute: LiveMetricMinute, context: MinuteContext): MinuteVerdict {
  const { window, by, rankedMax } = context
  const atMs = minute.minuteMs
  if (atMs + minuteMs <= data.completeThroughMs || atMs < data.startMs || atMs >= window.toMs) return { kind: 'known' }
  // A longer step is read when it is over, and now and then before.
  if (data.stepMs !== minuteMs) return { kind: (atMs + minuteMs) % data.stepMs === 0 ? 'behind' : 'known' }
  if (atMs > data.completeThroughMs) return { kind: 'behind' }
  const slid = window.stepMs === data.stepMs && window.toMs > data.endMs ? slideData(data, window) : data
  const slot = (atMs - slid.startMs) / minuteMs
  const { summary } = slid
  // A server's value is its series' value only where it has no other.
  const isComparable = minute.per === 'series' || minute.matchedSeriesCount === minute.matchedServerCount
  const values = new Map(minute.ranking.map(({ serverId, labels, value }) => [keyOf(serverId, labels), value]))
  const isAll = isComparable && minute.ranking.length < rankedMax
  const missing: RankedSeries[] = []
  const ranked = slid.ranked.map((series) => {
    const key = keyOf(series.serverId, minute.per === 'series' ? series.labels : undefined)
    const value = isComparable ? values.get(key) : undefined
    if (value !== undefined) return { ...series, [by]: series[by].with(slot, value) }
    if (!isAll) missing.push(series)
    return series
  })
  const folded: MetricData = {
    ...slid,
    completeThroughMs: Math.max(slid.completeThroughMs, minute.completeThroughMs),
    matchedSeriesCount: minute.matchedSeriesCount,
    ranked,
    summary: {
      ...summary,
      matchedSeriesCount: minute.matchedSeriesCount,
      matchedServerCount: minute.matchedServerCount,
      samples: withStatistics(summary.samples, slot, minute.samples),
      across: withStatistics(summary.across, slot, minute.across),
      quantiles: summary.quantiles.map(({ quantile, values: before }) => {
        const now = minute.quantiles.find((one) => one.quantile === quantile)?.value ?? null
        return { quantile, values: before.with(slot, now) }
      }),
    },
  }
  return { kind: 'folded', data: folded, missing }
}

/** What was read of ranked series by itself. */
export function withRead(data: MetricData, read: ReadonlyMap<string, RangeColumns>): MetricData {
  const ranked = data.ranked.map((series) => {
    const range = read.get(series.key)
    const column = range?.columns.find(({ labels, metricId }) => sameSeries(series, { labels, metricId }))
    if (range === undefined || column === undefined) return series
    const slot = (range.startMs - data.startMs) / data.stepMs
    if (slot < 0 || slot >= series.avg.length) return series
    const fields = cellFields.map((field) => [field, series[field].with(slot, column[field][0] ?? null)])
    return { ...series, ...Object.fromEntries(fields) } as RankedSeries
  })
  return { ...data, ranked }
}

function slideData(data: MetricData, window: Window): MetricData {
  const shift = (window.fromMs - data.startMs) / data.stepMs
  const length = (window.toMs - window.fromMs) / data.stepMs
  const move = (slots: Slots = []): (number | null)[] =>
    Array.from({ length }, (_, slot) => slots[slot + shift] ?? null)
  const moveAll = <T extends Statistics>(from: T): T =>
    ({ ...from, ...Object.fromEntries(cellFields.map((field) => [field, move(from[field])])) }) as T
  const { summary } = data
  return {
    ...data,
    startMs: window.fromMs,
    endMs: window.toMs,
    ranked: data.ranked.map((series) => ({
      ...series,
      ...Object.fromEntries(cellFields.map((field) => [field, move(series[field])])),
    })) as RankedSeries[],
    summary: {
      ...summary,
      startMs: window.fromMs,
      endMs: window.toMs,
      samples: moveAll(summary.samples),
      across: moveAll(summary.across),
      quantiles: summary.quantiles.map(({ quantile, values }) => ({ quantile, values: move(values) })),
    },
  }
}

function withStatistics(before: Statistics, slot: number, now: LiveMetricMinute['samples']): Statistics {
  const fields = cellFields.map((field) => [field, (before[field] ?? []).with(slot, now[field])])
  return Object.fromEntries(fields) as Statistics
}

function keyOf(serverId: string, labels: Readonly<Record<string, string>> | undefined): string {
  return JSON.stringify([serverId, labels === undefined ? [] : sorted(labels)])
}

function sameSeries(
  a: Pick<RankedSeries, 'metricId' | 'labels'>,
  b: Pick<RankedSeries, 'metricId' | 'labels'>,
): boolean {
  return a.metricId === b.metricId && JSON.stringify(sorted(a.labels)) === JSON.stringify(sorted(b.labels))
}

function sorted(labels: Readonly<Record<string, string>>): [string, string][] {
  return Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1))
}
