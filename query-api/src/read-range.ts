/**
 * Answers a range of one server: stored minutes from Postgres, and from the aggregators' memory the minutes that are still
 * open. Instants are ms since the epoch, ranges half-open.
 *
 * Three things move while we read: the progress advances, minutes are stored, and stored minutes leave memory. For each
 * partition its aggregator does these in the order *store, advance, forget*. We read in the order
 *
 *     completeThrough  ->  open minutes (memory)  ->  dictionary  ->  stored minutes (Postgres)
 *
 * - completeThrough first: what it calls closed had been stored by then, so the later snapshot has it. Read last, it could
 *   call a minute final whose rows our snapshot had missed.
 * - memory before Postgres: a minute in neither would have left memory before we looked, hence been stored before, hence
 *   be in the snapshot. The other way round it could be stored after the snapshot and forgotten before the look.
 * - dictionary and completeThrough once more, in one snapshot: a partition that began in between holds the minutes of its
 *   series back, which completeThrough did not know when it was asked first.
 * - a minute in both is taken from Postgres. Open minutes before completeThrough are late data: what is stored stays the
 *   answer until the merge is stored too.
 *
 * With several aggregators, each owning some partitions:
 *
 * - completeThrough is Postgres' minimum over all partitions; what one aggregator knows of its own counts only where it owns
 *   them all (LiveReader.completeThroughMs is 0 otherwise). It speaks for the partitions that have ever stored anything.
 * - the argument holds partition by partition: whoever owns one answers from memory between our first question and our last.
 *   An owner that does not answer in time, or has just taken over and not yet read its minutes again from the log, leaves
 *   those minutes out. That is a gap past completeThrough, where a gap says nothing.
 * - an answer may be stale: of an aggregator that was paused, replaced and continued. Whatever is open is provisional by
 *   definition: it is used past completeThrough only, and only for series that Postgres has nothing of in that minute. Of
 *   two answers with the same series the one with more samples counts (merge-parts.ts).
 *
 * read-range.pg.test.ts moves a minute at every point of this order.
 *
 * A range that is final and sealed is read in one snapshot, and this order has nothing left to say of it (sealed-range.ts).
 */
import type { LiveReader } from '@minutely/lib/live/live-channel'
import type { RecentRing, RingSeries } from '@minutely/lib/recent-ring/recent-ring'
import { minuteMs } from '@minutely/schema/limits'
import type { LiveMinute } from '@minutely/schema/query-wire'
import { type SeriesRef, seriesKey } from '@minutely/schema/series-identity'
import type { QueryConfig } from './config.ts'
import {
  assertServerExists,
  compareSeries,
  countSeries,
  type FoundSeries,
  orderedLabels,
  type StoredSeries,
} from './dictionary.ts'
import type { MinuteSink } from './minute-copy.ts'
import type { RangeAnswer } from './range-answer.ts'
import { assertPointsFit, type PointBudget, tooManySeries } from './range-limits.ts'
import type { ServerQuestion } from './range-question.ts'
import { type MinutesDeps, readMinutes } from './read-minutes.ts'
import type { HourSink } from './sealed-hours.ts'
import { openSealedRange } from './sealed-range.ts'
import { matchesSelector } from './series-selector.ts'
import { StepMatrix } from './step-matrix.ts'
import { assertStepHasData } from './step-too-fine.ts'
import type { StoreSession } from './store-session.ts'
import { giveMinutes } from './stored-minutes.ts'
import { hourMs, isHourly } from './time-range.ts'

/** Until there is more than one tenant per process, the aggregator's memory is asked for this one. */
export const liveTenantId = 'default'

export interface RangeDeps {
  readonly session: StoreSession
  readonly ring: RecentRing
  readonly live: LiveReader
  readonly config: QueryConfig
  readonly budget: PointBudget
}

interface Row extends SeriesRef {
  /** Undefined while the series is not stored yet. */
  readonly seriesId: number | undefined
  readonly tag: number
}

export async function readRange(question: ServerQuestion, deps: RangeDeps): Promise<RangeAnswer> {
  const { session, live, config, budget } = deps
  const { serverId, range } = question
  const sealed = await readSealedRange(question, deps)
  if (sealed !== undefined) return sealed
  const storedThroughMs = await session.completeThroughMs()
  const throughMs = Math.max(storedThroughMs, live.completeThroughMs())
  // A range that is final as a whole needs nobody's memory.
  const isFinal = range.endMs <= throughMs
  const openNow = isFinal ? [] : await live.openMinutes({ tenantId: liveTenantId, serverId })
  const open = openNow.filter(({ minuteMs: at }) => at >= throughMs && at >= range.startMs && at < range.endMs)
  const found = await findStored(question, deps)
  const stored = found.series
  const completeThroughMs = found.completeThroughMs < storedThroughMs ? found.completeThroughMs : throughMs
  if (stored.length === 0 && openNow.length === 0) await assertServerExists(session.client, serverId)

  const rows = mergeRows(stored, open, question)
  if (rows.length > config.seriesMax) throw tooManySeries(rows.length, config.seriesMax)
  assertPointsFit(rows.length, range, config)
  const release = budget.take(rows.length * range.stepCount)
  try {
    const matrix = new StepMatrix(rows.length, range, question.aggregations)
    const isStored = await addStored(matrix, rows, {
      ...deps,
      fromOpenMs: Math.min(...open.map((minute) => minute.minuteMs)),
    })
    addOpen(matrix, rows, { open, isStored })
    await assertStepHasData(matrix, rows, session)
    return { range, completeThroughMs, aggregations: question.aggregations, rows, matrix, release }
  } catch (error) {
    release()
    throw error
  }
}

/** All of it from one snapshot, if it is final and sealed. */
async function readSealedRange(question: ServerQuestion, deps: RangeDeps): Promise<RangeAnswer | undefined> {
  const { config, live, budget } = deps
  const { range, aggregations, selector } = question
  // Before the snapshot, as in the order above.
  const ownMs = live.completeThroughMs()
  const counted = { of: 'server_id', name: question.serverId } as const
  const opened = await openSealedRange({ selector, range, counted, take: config.seriesMax }, deps)
  if (opened === undefined || opened.matched.length > config.seriesMax) return undefined
  const release = budget.take(opened.matched.length * range.stepCount)
  try {
    const matrix = opened.matrix(opened.matched, { range, asked: aggregations })
    await assertStepHasData(matrix, opened.matched, deps.session)
    const rows = opened.matched.map(({ metricId, labels }) => ({ metricId, labels }))
    return { range, completeThroughMs: Math.max(opened.completeThroughMs, ownMs), aggregations, rows, matrix, release }
  } catch (error) {
    release()
    throw error
  }
}

async function findStored(question: ServerQuestion, deps: RangeDeps): Promise<FoundSeries> {
  const { seriesMax } = deps.config
  const found = await deps.session.findSeries({ ...question, limit: seriesMax + 1 })
  if (found.series.length > seriesMax) throw tooManySeries(await countSeries(deps.session.client, question), seriesMax)
  return found
}

/** The stored series, and those that so far exist in open minutes only. */
function mergeRows(stored: readonly StoredSeries[], open: readonly LiveMinute[], question: ServerQuestion): Row[] {
  const rows = new Map<string, Row>()
  for (const { seriesId, tag, metricId, labels } of stored)
    rows.set(seriesKey({ metricId, labels }), { seriesId, tag, metricId, labels })
  if (open.length === 0) return [...rows.values()]
  for (const minute of open) {
    for (const series of minute.series) {
      const key = seriesKey(series)
      if (rows.has(key) || !matchesSelector(question.selector, series)) continue
      rows.set(key, { seriesId: undefined, tag: 0, metricId: series.metricId, labels: orderedLabels(series.labels) })
    }
  }
  return [...rows.values()].sort(compareSeries)
}

type IsStored = (row: number, minuteMs: number) => boolean

/** @returns whether a minute from fromOpenMs on came from the store. */
async function addStored(
  matrix: StepMatrix,
  rows: readonly Row[],
  source: MinutesDeps & { readonly fromOpenMs: number },
): Promise<IsStored> {
  const rowOf = new Map<number, number>()
  const series: RingSeries[] = []
  rows.forEach(({ seriesId, tag }, row) => {
    if (seriesId === undefined) return
    rowOf.set(seriesId, row)
    series.push({ seriesId, tag })
  })
  const storedTail = new Set<number>()
  const tailKey = (row: number, atMs: number): number => (atMs / minuteMs) * matrix.rowCount + row
  const { startMs: fromMs, endMs: toMs, stepMs } = matrix.range
  // Rows of one series mostly follow each other.
  let lastId = -1
  let row = -1
  const sink: MinuteSink = (seriesId, atMs, values) => {
    if (seriesId !== lastId) {
      lastId = seriesId
      row = rowOf.get(seriesId) as number
    }
    matrix.add(row, atMs, values)
    if (atMs >= source.fromOpenMs) storedTail.add(tailKey(row, atMs))
  }
  const hours: HourSink = (seriesId, hour, columns) => {
    const endMs = (hour + 1) * hourMs
    if (endMs > source.fromOpenMs) giveMinutes({ seriesId, hour, columns }, { fromMs, toMs }, sink)
    else matrix.addHour(rowOf.get(seriesId) as number, hour * hourMs, columns)
  }
  // Which minutes are stored has to be known where some are open.
  const hourly = isHourly(matrix.range) ? { hoursBeforeMs: source.fromOpenMs } : {}
  await readMinutes({ series, fromMs, toMs, isOrdered: stepMs > minuteMs, hours, ...hourly }, sink, source)
  return (storedRow, atMs) => storedTail.has(tailKey(storedRow, atMs))
}

function addOpen(
  matrix: StepMatrix,
  rows: readonly Row[],
  source: { readonly open: readonly LiveMinute[]; readonly isStored: IsStored },
): void {
  if (source.open.length === 0) return
  const rowOf = new Map(rows.map((row, index) => [seriesKey(row), index]))
  // A series counts once in each minute.
  const added = new Set<string>()
  for (const minute of source.open) {
    for (const series of minute.series) {
      const row = rowOf.get(seriesKey(series))
      if (row === undefined || series.count === 0 || source.isStored(row, minute.minuteMs)) continue
      const key = `${minute.minuteMs} ${row}`
      if (added.has(key)) continue
      added.add(key)
      matrix.add(row, minute.minuteMs, series)
    }
  }
}
