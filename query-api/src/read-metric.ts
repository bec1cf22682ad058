/**
 * Answers a range of one metric across servers: the first `limit` series by server id, or those with the highest or
 * lowest value over the whole range; and quantiles of avg across *all* matching series, step by step.
 *
 * Ranking by value first folds each candidate's range into a single step (4 numbers a series, whatever the range) and
 * then reads the chosen ones in full. Quantiles need every series at every step, so there all matching series count
 * against the limit of points.
 *
 * Minutes still open are not merged in: the aggregator's memory is asked by server, and asking it for 10,000 of them
 * would copy all they hold. Steps from provisionalFromMs on show what is stored so far.
 */
import type { RecentRing } from '@minutely/lib/recent-ring/recent-ring'
import { minuteMs } from '@minutely/schema/limits'
import { type Aggregation, aggregations } from '@minutely/schema/query-wire'
import type { QueryConfig } from './config.ts'
import { assertMetricExists, countSeries, type StoredSeries } from './dictionary.ts'
import type { QuantileColumn, RangeAnswer } from './range-answer.ts'
import { assertPointsFit, type PointBudget, tooManySeries } from './range-limits.ts'
import type { MetricQuestion, SeriesOrder } from './range-question.ts'
import { readMinutes } from './read-minutes.ts'
import type { HourSink } from './sealed-hours.ts'
import { openSealedRange } from './sealed-range.ts'
import { StepMatrix } from './step-matrix.ts'
import { assertStepHasData } from './step-too-fine.ts'
import type { StoreSession } from './store-session.ts'
import { hourMs, isHourly, type TimeRange } from './time-range.ts'

export interface MetricDeps {
  readonly session: StoreSession
  readonly ring: RecentRing
  readonly config: QueryConfig
  readonly budget: PointBudget
}

export async function readMetric(question: MetricQuestion, deps: MetricDeps): Promise<RangeAnswer> {
  const { config } = deps
  const { range, limit, order, quantiles, metricId } = question
  const needsAll = quantiles.length > 0 || order.by !== 'serverId'
  const counted = { of: 'metric_id', name: metricId } as const
  const take = needsAll ? config.pointsMax : limit
  const opened = await openSealedRange({ selector: question.selector, range, counted, take }, deps)
  const { candidates, matchedSeriesCount, completeThroughMs } =
    opened === undefined
      ? await findCandidates(question, take, deps)
      : {
          candidates: opened.matched.slice(0, take),
          matchedSeriesCount: opened.matched.length,
          completeThroughMs: opened.completeThroughMs,
        }
  if (matchedSeriesCount > config.pointsMax && needsAll) throw tooManySeries(matchedSeriesCount, config.pointsMax)
  const held: (() => void)[] = []
  const release = (): void => held.splice(0).forEach((giveBack) => void giveBack())
  const read = async (rows: readonly StoredSeries[], over: TimeRange): Promise<StepMatrix> => {
    assertPointsFit(rows.length, over, config)
    held.push(deps.budget.take(rows.length * over.stepCount))
    if (opened === undefined) return readMatrix(rows, over, deps)
    const matrix = opened.matrix(rows, { range: over, asked: everyColumn(question) })
    await assertStepHasData(matrix, rows, deps.session)
    return matrix
  }
  const answer = (
    rows: readonly StoredSeries[],
    matrix: StepMatrix,
    columns?: readonly QuantileColumn[],
  ): RangeAnswer => {
    const extra = columns === undefined ? { matchedSeriesCount } : { matchedSeriesCount, quantiles: columns }
    return { range, completeThroughMs, aggregations: question.aggregations, rows, matrix, extra, release }
  }
  try {
    if (quantiles.length > 0) {
      const all = await read(candidates, range)
      const totals = order.by === 'serverId' ? all : totalsOf(all)
      const chosen = rank(candidates, { totals, order }).slice(0, limit)
      return answer(
        pickRows(candidates, chosen),
        all.pick(chosen),
        quantiles.map((quantile) => quantileColumn(all, quantile)),
      )
    }
    if (order.by === 'serverId') return answer(candidates, await read(candidates, range))
    const { startMs, endMs } = range
    const totals = await read(candidates, { startMs, endMs, stepMs: endMs - startMs, stepCount: 1 })
    const chosen = pickRows(candidates, rank(candidates, { totals, order }).slice(0, limit))
    return answer(chosen, await read(chosen, range))
  } catch (error) {
    release()
    throw error
  }
}

/** Ranks and quantiles are of columns that the answer need not have. */
function everyColumn({ order, quantiles, aggregations: asked }: MetricQuestion): readonly Aggregation[] {
  return order.by === 'serverId' && quantiles.length === 0 ? asked : aggregations
}

async function findCandidates(question: MetricQuestion, take: number, { session }: MetricDeps) {
  // First, as in read-range.ts: what it calls closed is in every snapshot taken later.
  const storedThroughMs = await session.completeThroughMs()
  const matchedSeriesCount = await countSeries(session.client, question)
  if (matchedSeriesCount === 0) await assertMetricExists(session.client, question.metricId)
  const found = await session.findSeries({ ...question, limit: take })
  // A partition that began in between: as in read-range.ts.
  const completeThroughMs = Math.min(storedThroughMs, found.completeThroughMs)
  return { candidates: found.series, matchedSeriesCount, completeThroughMs }
}

export async function readMatrix(
  rows: readonly StoredSeries[],
  range: TimeRange,
  deps: MetricDeps,
): Promise<StepMatrix> {
  const matrix = new StepMatrix(rows.length, range)
  const rowOf = new Map(rows.map(({ seriesId }, row) => [seriesId, row]))
  const isOrdered = range.stepMs > minuteMs
  const hours: HourSink = (seriesId, hour, columns) =>
    matrix.addHour(rowOf.get(seriesId) as number, hour * hourMs, columns)
  const hourly = isHourly(range) ? { hoursBeforeMs: Number.POSITIVE_INFINITY } : {}
  await readMinutes(
    { series: rows, fromMs: range.startMs, toMs: range.endMs, isOrdered, hours, ...hourly },
    (seriesId, atMs, values) => matrix.add(rowOf.get(seriesId) as number, atMs, values),
    deps,
  )
  await assertStepHasData(matrix, rows, deps.session)
  return matrix
}

/** Each row folded into one step. */
export function totalsOf(matrix: StepMatrix): StepMatrix {
  const { startMs, endMs, stepCount } = matrix.range
  const totals = new StepMatrix(matrix.rowCount, { startMs, endMs, stepMs: endMs - startMs, stepCount: 1 })
  for (let slot = 0; slot < matrix.count.length; slot++) {
    const count = matrix.count[slot] as number
    if (count === 0) continue
    const [min, max, sum] = [matrix.min[slot] as number, matrix.max[slot] as number, matrix.sum[slot] as number]
    totals.add(Math.floor(slot / stepCount), startMs, { min, max, sum, count })
  }
  return totals
}

/** Row numbers in the asked order. Series without data come last; equal ones stay in the order of the dictionary. */
export function rank(rows: readonly StoredSeries[], by: { totals: StepMatrix; order: SeriesOrder }): number[] {
  const numbers = rows.map((_, row) => row)
  const { order, totals } = by
  if (order.by === 'serverId') return numbers
  const aggregation: Aggregation = order.by
  const sign = order.descending ? -1 : 1
  return numbers.sort((a, b) => {
    const [valueA, valueB] = [totals.value(aggregation, a), totals.value(aggregation, b)]
    if (valueA === null || valueB === null) return Number(valueA === null) - Number(valueB === null) || a - b
    return sign * (valueA - valueB) || a - b
  })
}

/** Per step, over the series that have data there; linear between the two nearest ranks. */
export function quantileColumn(matrix: StepMatrix, quantile: number): QuantileColumn {
  const { rowCount, sum, count: samples } = matrix
  const { stepCount } = matrix.range
  const present = new Float64Array(rowCount)
  const avg = Array.from({ length: stepCount }, (_, step) => {
    let count = 0
    for (let slot = step; slot < samples.length; slot += stepCount) {
      if (samples[slot] !== 0) present[count++] = (sum[slot] as number) / (samples[slot] as number)
    }
    if (count === 0) return null
    const sorted = present.subarray(0, count).sort()
    const position = quantile * (count - 1)
    const below = sorted[Math.floor(position)] as number
    const above = sorted[Math.ceil(position)] as number
    return below + (above - below) * (position - Math.floor(position))
  })
  return { quantile, avg }
}

function pickRows(rows: readonly StoredSeries[], numbers: readonly number[]): StoredSeries[] {
  return numbers.map((row) => rows[row] as StoredSeries)
}
