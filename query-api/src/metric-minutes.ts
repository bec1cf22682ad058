/**
 * Minutes of one metric put together for live viewers, one event each. The numbers are those of /summary (step-summary.ts),
 * made the same way of the same rows. Pure.
 */
import { minuteMs } from '@minutely/schema/limits'
import type { LiveMetricMinute } from '@minutely/schema/live-wire'
import { unitOf } from '@minutely/schema/metric-unit'
import type { StoredSeries } from './dictionary.ts'
import { matchesLabels } from './label-filter.ts'
import type { MetricLiveQuestion } from './metric-live-question.ts'
import { Ranking } from './ranking.ts'
import { unitsOf } from './read-summary.ts'
import type { StepMatrix } from './step-matrix.ts'
import { type Columns, StepSummary } from './step-summary.ts'

/** `matrix` has a row for each of `rows`, which are in the dictionary's order, and a step a minute. */
export function metricMinutes(
  question: MetricLiveQuestion,
  rows: readonly StoredSeries[],
  matrix: StepMatrix,
): LiveMetricMinute[] {
  const { metricId, by, per, quantiles, order, limit, labelFilters } = question
  const { startMs, stepCount } = matrix.range
  const chosen = labelFilters.size === 0 ? undefined : matchingRows(question, rows)
  const matched = chosen === undefined ? rows : chosen.map((row) => rows[row] as StoredSeries)
  const servers = unitsOf(matched, 'server')
  const units = per === 'server' ? servers : unitsOf(matched, 'series')
  const ranking = new Ranking(stepCount, { limit, order })
  const summary = new StepSummary(stepCount, { by, quantiles, distribution: undefined, ranking })
  summary.fold(chosen === undefined ? matrix : matrix.pick(chosen), units, 0)
  return Array.from({ length: stepCount }, (_, step) => ({
    metricId,
    unit: unitOf(metricId),
    minuteMs: startMs + step * minuteMs,
    completeThroughMs: startMs + (step + 1) * minuteMs,
    by,
    per,
    matchedSeriesCount: matched.length,
    matchedServerCount: servers.length - 1,
    samples: statisticsOf(summary.samples, step),
    across: statisticsOf(summary.across, step),
    quantiles: quantiles.map((quantile, index) => {
      const value = summary.quantiles[index]?.[step] ?? Number.NaN
      return { quantile, value: Number.isNaN(value) ? null : value }
    }),
    order,
    ranking: ranking.of(step).map(({ unit, value }) => {
      const { serverId, labels } = matched[units[unit] as number] as StoredSeries
      return per === 'server' ? { serverId, value } : { serverId, labels: { ...labels }, value }
    }),
  }))
}

function matchingRows({ labelFilters }: MetricLiveQuestion, rows: readonly StoredSeries[]): number[] {
  const chosen: number[] = []
  rows.forEach(({ labels }, row) => {
    if (matchesLabels(labelFilters, labels)) chosen.push(row)
  })
  return chosen
}

function statisticsOf(columns: Columns, step: number): LiveMetricMinute['samples'] {
  return {
    min: columns.value('min', step),
    max: columns.value('max', step),
    avg: columns.value('avg', step),
    sum: columns.value('sum', step),
    count: columns.count[step] as number,
  }
}
