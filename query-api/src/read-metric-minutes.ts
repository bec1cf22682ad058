/**
 * Closed minutes of one metric for all who watch it: read once, as a matrix of all its series, and put together for each
 * question (metric-minutes.ts). Instants are ms since the epoch, of whole minutes.
 *
 * The list of series is kept: the dictionary only ever grows, so a list is whole while it counts as many. The count is asked with
 * complete-through in one snapshot: a partition has its progress before its first series, so a minute that is complete by
 * both is closed for every series that was counted (dictionary.ts).
 */
import { minuteMs } from '@minutely/schema/limits'
import type { LiveMetricMinute } from '@minutely/schema/live-wire'
import { assertMetricExists, type StoredSeries } from './dictionary.ts'
import type { LiveCache } from './live-cache.ts'
import type { MetricLiveQuestion } from './metric-live-question.ts'
import { metricMinutes } from './metric-minutes.ts'
import { type PointBudget, tooManySeries } from './range-limits.ts'
import { StepMatrix } from './step-matrix.ts'
import type { StoreSession } from './store-session.ts'

/** A row of the matrix for each minute; a replay of more goes on in another session. */
export const slabPointsMax = 100_000
/** With its strings; labels are few. */
const seriesBytes = 400

export interface MetricMinutesQuestion {
  readonly metricId: string
  readonly questions: readonly MetricLiveQuestion[]
  readonly fromMs: number
  /** Half-open; complete, as far as the caller knows. */
  readonly toMs: number
}

export interface MetricMinutesDeps {
  readonly session: StoreSession
  readonly lists: LiveCache<readonly StoredSeries[]>
  readonly budget: PointBudget
  readonly seriesMax: number
}

export interface MadeMinutes {
  /** By the question's key, oldest first, one for each minute. */
  readonly byQuestion: ReadonlyMap<string, readonly LiveMetricMinute[]>
  /** They are those before it; less than asked for when it is many, or a partition has just begun. */
  readonly throughMs: number
}

/** @throws ApiError metric-not-found, too-many-series, overloaded */
export async function readMetricMinutes(
  question: MetricMinutesQuestion,
  deps: MetricMinutesDeps,
): Promise<MadeMinutes> {
  const { fromMs, questions } = question
  const { rows, completeThroughMs } = await findRows(question.metricId, deps)
  const stepsMax = Math.max(1, Math.floor(slabPointsMax / Math.max(1, rows.length)))
  const completeMs = Math.floor(completeThroughMs / minuteMs) * minuteMs
  const throughMs = Math.max(fromMs, Math.min(question.toMs, completeMs, fromMs + stepsMax * minuteMs))
  const stepCount = (throughMs - fromMs) / minuteMs
  const giveBack = deps.budget.take(rows.length * stepCount)
  try {
    const matrix = new StepMatrix(rows.length, { startMs: fromMs, endMs: throughMs, stepMs: minuteMs, stepCount })
    const rowOf = new Map(rows.map(({ seriesId }, row) => [seriesId, row]))
    const seriesIds = rows.map(({ seriesId }) => seriesId)
    await deps.session.readMinutes({ seriesIds, fromMs, toMs: throughMs }, (seriesId, atMs, values) =>
      matrix.add(rowOf.get(seriesId) as number, atMs, values),
    )
    const byQuestion = new Map<string, LiveMetricMinute[]>()
    for (const one of questions) {
      byQuestion.set(one.key, metricMinutes(one, rows, matrix))
      // A thousand different questions are not put together in one go.
      await new Promise((resolve) => setImmediate(resolve))
    }
    return { byQuestion, throughMs }
  } finally {
    giveBack()
  }
}

/** @throws ApiError metric-not-found, too-many-series */
export async function assertWatchable(
  metricId: string,
  deps: Pick<MetricMinutesDeps, 'session' | 'seriesMax'>,
): Promise<void> {
  await countRows(metricId, deps)
}

async function findRows(metricId: string, deps: MetricMinutesDeps) {
  const { session, lists, seriesMax } = deps
  const { count, completeThroughMs } = await countRows(metricId, deps)
  const known = lists.get(metricId)
  if (known?.length === count) return { rows: known, completeThroughMs }
  const selector = { metricGlobs: [metricId], labelFilters: new Map() }
  const found = await session.findSeries({ selector, limit: seriesMax })
  lists.put(metricId, found.series, seriesBytes * (1 + found.series.length))
  return { rows: found.series, completeThroughMs: found.completeThroughMs }
}

async function countRows(metricId: string, { session, seriesMax }: Pick<MetricMinutesDeps, 'session' | 'seriesMax'>) {
  const { rows } = await session.client.query<{ n: number; complete_ms: number | null }>(
    `select (select count(*)::integer from series where metric_id = $1) as n,
            (select extract(epoch from min(complete_through_at)) * 1000 from partition_progress)::float8 as complete_ms`,
    [metricId],
  )
  const { n: count = 0, complete_ms: completeMs = 0 } = rows[0] ?? {}
  if (count === 0) await assertMetricExists(session.client, metricId)
  if (count > seriesMax) throw tooManySeries(count, seriesMax)
  return { count, completeThroughMs: completeMs ?? 0 }
}
