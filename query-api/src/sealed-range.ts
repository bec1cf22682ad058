/**
 * A range that is final and sealed as a whole, in one round trip: what a page asks for of any time before the last two hours.
 *
 * Completeness, the number of series of the server or metric, which hours are sealed, and blocks that are not in memory come from one
 * statement, one snapshot. What was known before only decides whether it is worth asking, and what; the snapshot decides whether it
 * holds:
 *
 *   complete through the end of the range   so nobody's memory has anything of it (read-range.ts), and no partition is behind
 *   as many series as in our list           so the list is all of them
 *   every hour sealed and not dirty         so blocks are all there is
 *
 * Steps of whole hours are not asked for here: the hour tier has less to read. If one of the three does not hold the answer is undefined, and the question is asked the long way.
 */
import type { Aggregation } from '@minutely/schema/query-wire'
import type { QueryConfig } from './config.ts'
import type { StoredSeries } from './dictionary.ts'
import type { RangeQuestion } from './range-question.ts'
import type { HourSpan } from './sealed-cache.ts'
import { type CountedSeries, fitsCache, readSealed, type SealedReading } from './sealed-hours.ts'
import { listLengthMax } from './series-lists.ts'
import { matchesSelector } from './series-selector.ts'
import { StepMatrix } from './step-matrix.ts'
import type { StoreSession } from './store-session.ts'
import { giveOutSealed, hoursOf, type SealedStore } from './stored-minutes.ts'
import { hourMs, isHourly, type TimeRange } from './time-range.ts'

export interface SealedRange {
  /** At or after the end of the range. */
  readonly completeThroughMs: number
  /** All that the question matches, in the order of the dictionary. */
  readonly matched: readonly StoredSeries[]
  /** Of rows among the first `take` of `matched`; `range` has the same ends. Asks nobody. @throws UnreadableHourError */
  matrix(rows: readonly StoredSeries[], of: { range: TimeRange; asked: readonly Aggregation[] }): StepMatrix
}

const everySeries = { metricGlobs: [], labelFilters: new Map() }

export async function openSealedRange(
  question: Pick<RangeQuestion, 'selector' | 'range'> & { readonly counted: CountedSeries; readonly take: number },
  { session, config }: { readonly session: StoreSession; readonly config: QueryConfig },
): Promise<SealedRange | undefined> {
  const { counted, range, selector, take } = question
  const { sealed } = session
  // Steps of whole hours are the hour tier's: a row a day, not a block an hour.
  if (sealed === undefined || isHourly(range) || range.endMs > sealed.cache.completeThroughMs) return undefined
  const list = sealed.lists.get(counted) ?? (await loadList(counted, session, sealed))
  if (list === undefined) return undefined
  const matched = list.filter((series) => matchesSelector(selector, series))
  const rows = matched.slice(0, take)
  // Which of them come first among those with other labels only is the database's to say.
  const [last, next] = [matched[take - 1], matched[take]]
  if (next !== undefined && next.serverId === last?.serverId && next.metricId === last.metricId) return undefined
  const asked = { ...hoursOf({ fromMs: range.startMs, toMs: range.endMs }), seriesIds: rows.map(idOf), counted }
  if (rows.length === 0 || rows.length * range.stepCount > config.pointsMax || !fitsCache(sealed.cache, asked))
    return undefined
  const reading = await readSealed(asked, { client: session.client, cache: sealed.cache })
  if (reading === undefined || reading.completeThroughMs < range.endMs || reading.clean.includes(0)) return undefined
  // Forgotten meanwhile: another start of Postgres.
  if (reading.countedSeries !== list.length || sealed.lists.get(counted) !== list) {
    sealed.lists.delete(counted)
    return undefined
  }
  const entryOf = new Map(rows.map(({ seriesId }, index) => [seriesId, reading.entries[index]]))
  return {
    completeThroughMs: reading.completeThroughMs,
    matched,
    matrix: (some, of) => {
      const matrix = new StepMatrix(some.length, of.range, of.asked)
      const entries = some.map(({ seriesId }) => entryOf.get(seriesId))
      fill(matrix, { rows: some, asked }, { reading: { ...reading, entries }, sealed })
      return matrix
    },
  }
}

const idOf = ({ seriesId }: StoredSeries): number => seriesId

async function loadList(
  counted: CountedSeries,
  session: StoreSession,
  { lists }: SealedStore,
): Promise<readonly StoredSeries[] | undefined> {
  const limit = listLengthMax + 1
  const { series } = await session.findSeries(
    counted.of === 'server_id'
      ? { serverId: counted.name, selector: everySeries, limit }
      : { selector: { ...everySeries, metricGlobs: [counted.name] }, limit },
  )
  if (series.length === 0 || series.length > listLengthMax) return undefined
  lists.put(counted, series)
  return series
}

function fill(
  matrix: StepMatrix,
  { rows, asked }: { readonly rows: readonly StoredSeries[]; readonly asked: HourSpan },
  { reading, sealed }: { readonly reading: SealedReading; readonly sealed: SealedStore },
): void {
  const rowOf = new Map(rows.map(({ seriesId }, row) => [seriesId, row]))
  let [lastId, row] = [-1, -1]
  const find = (seriesId: number): number => {
    if (seriesId !== lastId) {
      lastId = seriesId
      row = rowOf.get(seriesId) as number
    }
    return row
  }
  const query = {
    seriesIds: rows.map(idOf),
    fromMs: matrix.range.startMs,
    toMs: matrix.range.endMs,
    isOrdered: true,
    hours: (seriesId: number, hour: number, columns: Parameters<StepMatrix['addHour']>[2]) =>
      matrix.addHour(find(seriesId), hour * hourMs, columns),
  }
  const sink = (seriesId: number, atMs: number, values: Parameters<StepMatrix['add']>[2]): void =>
    matrix.add(find(seriesId), atMs, values)
  giveOutSealed({ ...asked, seriesIds: query.seriesIds }, { query, reading, sink }, sealed)
}
