/**
 * Reads one metric across servers and puts it together (step-summary.ts), a slab of steps at a time. Held at any time: the series,
 * the answer's columns, and a slab of at most QUERY_POINTS_MAX points. What is read in all is bounded by QUERY_MINUTES_MAX and
 * the time a question may take.
 *
 * completeThrough is asked first, as in read-range.ts, and each slab is a snapshot of its own: final steps are the same in
 * all but for late data, of which one slab may know and another not. Open minutes are not merged in, as in read-metric.ts.
 */
import { assertMetricExists, countSeries, type StoredSeries } from './dictionary.ts'
import { GivenDistribution, NestingDistribution } from './distribution.ts'
import { assertColumnsFit, assertMinutesFit, tooManySeries } from './range-limits.ts'
import { type MetricDeps, readMatrix } from './read-metric.ts'
import { StepSummary, type Units } from './step-summary.ts'
import type { SummaryAnswer } from './summary-answer.ts'
import type { SummaryQuestion } from './summary-question.ts'
import type { TimeRange } from './time-range.ts'

/** Columns of an answer beside its quantiles and buckets: of samples, across, below and above. */
const fixedColumns = 12

export async function readSummary(question: SummaryQuestion, deps: MetricDeps): Promise<SummaryAnswer> {
  const { session, config, budget } = deps
  const { metricId, range, by, quantiles } = question
  const storedThroughMs = await session.completeThroughMs()
  const seriesMax = Math.min(config.summarySeriesMax, config.pointsMax)
  const found = await session.findSeries({ ...question, limit: seriesMax + 1 })
  const rows = found.series
  if (rows.length === 0) await assertMetricExists(session.client, metricId)
  if (rows.length > seriesMax) throw tooManySeries(await countSeries(session.client, question), seriesMax)
  const columnCount = fixedColumns + quantiles.length + Math.max(question.buckets, question.bounds.length)
  assertColumnsFit(columnCount, range, config)
  assertMinutesFit(rows.length, range, config)

  const distribution = distributionFor(question)
  const summary = new StepSummary(range.stepCount, { by, quantiles, distribution })
  const servers = unitsOf(rows, 'server')
  const units = question.per === 'server' ? servers : unitsOf(rows, 'series')
  const releaseAnswer = budget.take(columnCount * range.stepCount)
  try {
    for (const slab of slabsOf(range, rows.length, config.pointsMax)) {
      const releaseSlab = budget.take(rows.length * slab.stepCount)
      try {
        summary.fold(await readMatrix(rows, slab, deps), units, (slab.startMs - range.startMs) / range.stepMs)
      } finally {
        releaseSlab()
      }
    }
    return {
      question,
      completeThroughMs: Math.min(storedThroughMs, found.completeThroughMs),
      matchedSeriesCount: rows.length,
      matchedServerCount: servers.length - 1,
      summary,
      distribution: distribution?.columns(),
      release: releaseAnswer,
    }
  } catch (error) {
    releaseAnswer()
    throw error
  }
}

function distributionFor({ range, buckets, bounds }: SummaryQuestion) {
  if (bounds.length > 0) return new GivenDistribution(range.stepCount, bounds)
  return buckets > 0 ? new NestingDistribution(range.stepCount, buckets) : undefined
}

/** As many whole steps at a time as fit; the dictionary's order is by server, so rows of one follow each other. */
export function slabsOf(range: TimeRange, rowCount: number, pointsMax: number): TimeRange[] {
  if (rowCount === 0) return []
  const { startMs, endMs, stepMs } = range
  const slabMs = Math.max(1, Math.floor(pointsMax / rowCount)) * stepMs
  const slabs: TimeRange[] = []
  for (let fromMs = startMs; fromMs < endMs; fromMs += slabMs) {
    const toMs = Math.min(endMs, fromMs + slabMs)
    slabs.push({ startMs: fromMs, endMs: toMs, stepMs, stepCount: (toMs - fromMs) / stepMs })
  }
  return slabs
}

export function unitsOf(rows: readonly StoredSeries[], per: SummaryQuestion['per']): Units {
  const starts: number[] = []
  rows.forEach(({ serverId }, row) => {
    if (per === 'series' || serverId !== rows[row - 1]?.serverId) starts.push(row)
  })
  return [...starts, rows.length]
}
