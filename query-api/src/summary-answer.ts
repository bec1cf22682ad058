/**
 * One metric across servers, put together, on its way out: as JSON, CSV or NDJSON, and its ETag.
 *
 * JSON   {"startMs",...,"metricId",...,"samples":{columns},"across":{columns},"quantiles":[...],"distribution":{...}}
 * NDJSON what is no column as the first line, then a line per step
 * CSV    a line per step that has data: timeMs, provisional, samples (min, max, ...), across (acrossMin, ...), quantiles (q0.95),
 *        buckets (from0.25: how many values from that bound on and below the next), below, above
 */
import { createHash } from 'node:crypto'
import { unitOf } from '@minutely/schema/metric-unit'
import type { Aggregation, MetricSummaryAnswer } from '@minutely/schema/query-wire'
import type { DistributionColumns } from './distribution.ts'
import { type AnswerFormat, gather, provisionalFromMs } from './range-answer.ts'
import type { Columns, StepSummary } from './step-summary.ts'
import type { SummaryQuestion } from './summary-question.ts'

export interface SummaryAnswer {
  readonly question: SummaryQuestion
  readonly completeThroughMs: number
  readonly matchedSeriesCount: number
  readonly matchedServerCount: number
  readonly summary: StepSummary
  readonly distribution: DistributionColumns | undefined
  /** Gives the points back to the budget. */
  release(): void
}

/** Over what the answer says; a range that is final keeps it while completeThroughMs moves on. */
export function summaryEtag(answer: SummaryAnswer, format: AnswerFormat): string {
  const { completeThroughMs, ...said } = shapeOf(answer)
  const finalThroughMs = Math.min(completeThroughMs, answer.question.range.endMs)
  const text = JSON.stringify([format, finalThroughMs, said])
  return `W/"${createHash('sha256').update(text).digest('base64url').slice(0, 22)}"`
}

export function encodeSummary(answer: SummaryAnswer, format: AnswerFormat): Iterable<string> {
  if (format === 'application/json') return [JSON.stringify(shapeOf(answer))]
  return gather(format === 'text/csv' ? csvLines(answer) : ndjsonLines(answer))
}

function headOf({ question, completeThroughMs, matchedSeriesCount, matchedServerCount }: SummaryAnswer) {
  const { range, metricId, by, per } = question
  const { startMs, endMs, stepMs } = range
  return {
    startMs,
    endMs,
    stepMs,
    completeThroughMs,
    provisionalFromMs: provisionalFromMs(range, completeThroughMs),
    metricId,
    unit: unitOf(metricId),
    by,
    per,
    matchedSeriesCount,
    matchedServerCount,
  }
}

function shapeOf(answer: SummaryAnswer): MetricSummaryAnswer {
  const { question, summary, distribution } = answer
  const { aggregations, quantiles } = question
  return {
    ...headOf(answer),
    samples: statisticsOf(summary.samples, aggregations, summary.stepCount),
    across: statisticsOf(summary.across, aggregations, summary.stepCount),
    quantiles: quantiles.map((quantile, index) => ({
      quantile,
      values: Array.from(summary.quantiles[index] as Float64Array, orNull),
    })),
    ...(distribution === undefined ? {} : { distribution: distribution as Mutable<DistributionColumns> }),
  }
}

type Mutable<T> = { -readonly [key in keyof T]: T[key] extends readonly (infer E)[] ? Mutable<E>[] : T[key] }

function statisticsOf(columns: Columns, aggregations: readonly Aggregation[], stepCount: number) {
  const statistics: Partial<Record<Aggregation, (number | null)[]>> = {}
  for (const aggregation of aggregations) {
    statistics[aggregation] = Array.from({ length: stepCount }, (_, step) => columns.value(aggregation, step))
  }
  return statistics
}

function* ndjsonLines(answer: SummaryAnswer): Generator<string> {
  const { summary, question, distribution } = answer
  const { range, aggregations, quantiles } = question
  const bounds = distribution?.bounds
  yield `${JSON.stringify({ ...headOf(answer), quantiles, ...(bounds === undefined ? {} : { bounds }) })}\n`
  for (let step = 0; step < summary.stepCount; step++) {
    const at = (columns: Columns) =>
      Object.fromEntries(aggregations.map((aggregation) => [aggregation, columns.value(aggregation, step)]))
    const line = {
      timeMs: range.startMs + step * range.stepMs,
      samples: at(summary.samples),
      across: at(summary.across),
      quantiles: summary.quantiles.map((values) => orNull(values[step] as number)),
      ...(distribution === undefined
        ? {}
        : {
            counts: distribution.counts.map((counts) => counts[step]),
            below: distribution.below[step],
            above: distribution.above[step],
          }),
    }
    yield `${JSON.stringify(line)}\n`
  }
}

function* csvLines(answer: SummaryAnswer): Generator<string> {
  const { summary, question, distribution, completeThroughMs } = answer
  const { range, aggregations, quantiles } = question
  const across = aggregations.map((name) => `across${name[0]?.toUpperCase()}${name.slice(1)}`)
  const buckets =
    distribution === undefined
      ? []
      : [...distribution.counts.map((_, i) => `from${distribution.bounds[i]}`), 'below', 'above']
  const names = [...aggregations, ...across, ...quantiles.map((quantile) => `q${quantile}`), ...buckets]
  yield `timeMs,provisional,${names.join(',')}\r\n`
  const provisionalMs = provisionalFromMs(range, completeThroughMs) ?? Number.POSITIVE_INFINITY
  for (let step = 0; step < summary.stepCount; step++) {
    if (summary.samples.count[step] === 0) continue
    const timeMs = range.startMs + step * range.stepMs
    const counts =
      distribution === undefined
        ? []
        : [...distribution.counts.map((column) => column[step]), distribution.below[step], distribution.above[step]]
    const values = [
      ...aggregations.map((aggregation) => summary.samples.value(aggregation, step)),
      ...aggregations.map((aggregation) => summary.across.value(aggregation, step)),
      ...summary.quantiles.map((column) => column[step]),
      ...counts,
    ]
    yield `${timeMs},${timeMs >= provisionalMs},${values.join(',')}\r\n`
  }
}

function orNull(value: number): number | null {
  return Number.isNaN(value) ? null : value
}
