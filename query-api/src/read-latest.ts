/**
 * `GET /v1/latest`: of each matching series the newest of the last few closed minutes, as a table of servers: for walls of ten thousand
 * of them. Instants are ms since the epoch.
 *
 *                    web-1   web-2   web-3            minutes=3
 *   avg             |  0.31 |  0.52 |  null |         | m-3 | m-2 | m-1 |  completeThrough
 *   minutesBack     |     0 |     1 |  null |                        0
 *
 * With `per=server` the matching series of a metric are one row: of each server those that have its newest minute, merged.
 *
 * All from Postgres: the ring is no faster for a single minute, and has the newest one last.
 */
import { minuteMs } from '@minutely/schema/limits'
import { type Aggregation, type SummaryPer, summaryPers } from '@minutely/schema/query-wire'
import type { SeriesRef } from '@minutely/schema/series-identity'
import { checkName, labelParameters } from './label-filter.ts'
import { type FoundRow, type Table, tableOf } from './latest-table.ts'
import type { DictionaryState } from './latest-tables.ts'
import type { Parameters } from './parameters.ts'
import { tooManyCells, tooManySeries } from './range-limits.ts'
import { readAggregations } from './range-question.ts'
import type { MetricDeps } from './read-metric.ts'
import { readSelector, type SeriesSelector, selectorSql } from './series-selector.ts'
import { containsPattern, readQuery } from './servers.ts'
import { type MinuteValues, StepMatrix } from './step-matrix.ts'
import type { StoreSession } from './store-session.ts'
import type { TimeRange } from './time-range.ts'

export interface LatestQuestion {
  readonly selector: SeriesSelector
  /** Part of the server id, in any case. */
  readonly query: string | undefined
  readonly aggregations: readonly Aggregation[]
  readonly minutes: number
  readonly per: SummaryPer
  /** Name of a label. */
  readonly groupBy: string | undefined
}

export const latestParameters: readonly string[] = [
  'query',
  'metricId',
  ...labelParameters,
  'agg',
  'minutes',
  'per',
  'groupBy',
]
export const minutesLimit = { min: 1, max: 60, default: 1 } as const

export interface LatestAnswer {
  readonly aggregations: readonly Aggregation[]
  readonly completeThroughMs: number
  readonly startMs: number
  readonly endMs: number
  readonly servers: readonly string[]
  /** Of each server the value of the label groupBy, null without one. */
  readonly groups: readonly (string | null)[] | undefined
  readonly series: readonly SeriesRef[]
  /** Slot = series * servers.length + server. A minute is a step; count 0: no value. */
  readonly values: StepMatrix
  /** Same slots. */
  readonly minutesBack: Uint8Array
  /** Gives the points back to the budget. */
  release(): void
}

export function readLatestQuestion(parameters: Parameters): LatestQuestion {
  return {
    selector: readSelector(parameters),
    query: readQuery(parameters),
    aggregations: readAggregations(parameters),
    minutes: parameters.integer('minutes', minutesLimit),
    per: parameters.word('per', summaryPers) ?? 'series',
    groupBy: readGroupBy(parameters),
  }
}

function readGroupBy(parameters: Parameters): string | undefined {
  const name = parameters.single('groupBy')
  if (name !== undefined) checkName('groupBy', name)
  return name
}

export interface LatestDeps extends Omit<MetricDeps, 'ring'> {
  readonly nowMs: number
}

export async function readLatest(question: LatestQuestion, deps: LatestDeps): Promise<LatestAnswer> {
  const { session, config, budget } = deps
  const { minutes, aggregations } = question
  const completeThroughMs = await session.completeThroughMs()
  const endMs = Math.floor(completeThroughMs / minuteMs) * minuteMs
  const startMs = Math.max(0, endMs - minutes * minuteMs)
  const table = await findTable(question, deps)
  const cellCount = table.servers.length * table.series.length
  if (cellCount > config.pointsMax) throw tooManyCells(table, config.pointsMax)
  const release = budget.take(cellCount)
  try {
    // One step over all of it: what is newer replaces what is older.
    const range: TimeRange = { startMs, endMs, stepMs: minutes * minuteMs, stepCount: 1 }
    const values = new StepMatrix(cellCount, range)
    const minutesBack = new Uint8Array(cellCount)
    const take = (seriesId: number, atMs: number, minute: MinuteValues): void => {
      const slot = table.slotOf.get(seriesId) as number
      const back = (endMs - atMs) / minuteMs - 1
      if (values.count[slot] !== 0) {
        if (back > (minutesBack[slot] as number)) return
        if (back < (minutesBack[slot] as number)) values.count[slot] = 0
      }
      values.add(slot, atMs, minute)
      minutesBack[slot] = back
    }
    // Nearly all have the newest minute: the others are looked at only where that is missing.
    const newestMs = Math.max(startMs, endMs - minuteMs)
    const seriesIds = [...table.slotOf.keys()]
    await session.readMinutes({ seriesIds, fromMs: newestMs, toMs: endMs }, take)
    const missing = seriesIds.filter((id) => values.count[table.slotOf.get(id) as number] === 0)
    await session.readMinutes({ seriesIds: missing, fromMs: startMs, toMs: newestMs }, take)
    const { servers, groups, series } = table
    return { aggregations, completeThroughMs, startMs, endMs, servers, groups, series, values, minutesBack, release }
  } catch (error) {
    release()
    throw error
  }
}

async function findTable(question: LatestQuestion, { session, config, nowMs }: LatestDeps): Promise<Table> {
  const { selector, query, per, groupBy } = question
  const state = await readDictionaryState(selector, session)
  const key = JSON.stringify([selector.metricGlobs, [...selector.labelFilters], query, per, groupBy])
  const kept = state && session.sealed?.tables.get(key, { state, nowMs })
  if (kept !== undefined) return kept
  const found = await findRows(question, session, Math.min(config.summarySeriesMax, config.pointsMax))
  const table = tableOf(found, question)
  if (state !== undefined) session.sealed?.tables.put(key, table, { state, nowMs })
  return table
}

/** Before the series are found: what is added meanwhile is not counted. Of all labels, so that an index is enough. */
async function readDictionaryState(
  { metricGlobs }: SeriesSelector,
  { client, sealed }: StoreSession,
): Promise<DictionaryState | undefined> {
  if (sealed === undefined) return undefined
  const values: unknown[] = []
  const where = selectorSql({ metricGlobs, labelFilters: new Map() }, values)
  const { rows } = await client.query<DictionaryState>(
    `select count(*)::integer as "seriesCount", pg_postmaster_start_time()::text as "serverStartedAt"
     from series where ${where}`,
    values,
  )
  return rows[0]
}

async function findRows(question: LatestQuestion, session: StoreSession, seriesMax: number): Promise<FoundRow[]> {
  const values: unknown[] = [containsPattern(question.query)]
  const where = `($1::text is null or server_id ilike $1) and ${selectorSql(question.selector, values)}`
  const { rows } = await session.client.query<FoundRow>(
    `select series_id, server_id, metric_id, labels::text as labels from series where ${where}
     order by server_id limit $${values.push(seriesMax + 1)}`,
    values,
  )
  if (rows.length <= seriesMax) return rows
  const all = await session.client.query<{ n: number }>(
    `select count(*)::integer as n from series where ${where}`,
    values.slice(0, -1),
  )
  throw tooManySeries(all.rows[0]?.n ?? rows.length, seriesMax)
}
