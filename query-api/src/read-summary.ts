/**
 * Reads one metric across servers and puts it together (step-summary.ts), a slab of steps at a time. Held at any time: the series,
 * the answer's columns, and a slab of at most QUERY_POINTS_MAX points. What is read in all is bounded by QUERY_MINUTES_MAX and
 * the time a question may take.
 *
 * completeThrough is asked first, as in read-range.ts, and each slab is a snapshot of its own: final steps are the same in
 * all but for late data, of which one slab may know and another not. A range that is sealed as a whole is one snapshot (sealed-range.ts). Open minutes are not merged in, as in read-metric.ts.
 */
import { aggregations } from '@minutely/schema/query-wire'
import { assertMetricExists, countSeries, type StoredSeries } from './dictionary.ts'
import { GivenDistribution, NestingDistribution } from './distribution.ts'
import { assertColumnsFit, assertMinutesFit, tooManySeries } from './range-limits.ts'
import { type MetricDeps, readMatrix } from './read-metric.ts'
import { openSealedRange } from './sealed-range.ts'
import { StepSummary, type Units } from './step-summary.ts'
import { assertStepHasData } from './step-too-fine.ts'
import type { SummaryAnswer } from './summary-answer.ts'
import type { SummaryQuestion } from './summary-question.ts'
import type { TimeRange } from './time-range.ts'

/** Columns of an answer beside its quantiles and buckets: of samples, across, below and above. */
const fixedColumns = 12

export async function readSummary(question: SummaryQuestion, deps: MetricDeps): Promise<SummaryAnswer> {
  const { session, config, budget } = deps
  const { metricId, range, by, quantiles } = question
  const seriesMax = Math.min(config.summarySeriesMax, config.pointsMax)
  const { opened, rows, completeThroughMs } = await findRows(question, seriesMax, deps)
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
        // What is sealed as a whole fits in one slab.
        const matrix =
          opened?.matrix(rows, { range: slab, asked: aggregations }) ?? (await readMatrix(rows, slab, deps))
        if (opened !== undefined) await assertStepHasData(matrix, rows, session)
        summary.fold(matrix, units, (slab.startMs - range.startMs) / range.stepMs)
      } finally {
        releaseSlab()
      }
    }
    return {
      question,
      completeThroughMs,
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

/** One more than `seriesMax` when there are more. */
async function findRows(question: SummaryQuestion, seriesMax: number, deps: MetricDeps) {
  const { metricId, selector, range } = question
  const { session } = deps
  const counted = { of: 'metric_id', name: metricId } as const
  const opened = await openSealedRange({ selector, range, counted, take: seriesMax + 1 }, deps)
  if (opened !== undefined) {
    return { opened, rows: opened.matched.slice(0, seriesMax + 1), completeThroughMs: opened.completeThroughMs }
  }
  const storedThroughMs = await session.completeThroughMs()
  const found = await session.findSeries({ ...question, limit: seriesMax + 1 })
  const completeThroughMs = Math.min(storedThroughMs, found.completeThroughMs)
  return { opened, rows: found.series, completeThroughMs }
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
