/**
 * `GET /v1/latest`: of each matching series the newest of the last few closed minutes, as a table of servers: for walls of ten thousand
 * of them. Instants are ms since the epoch.
 *
 *                    web-1   web-2   web-3            minutes=3
 *   avg             |  0.31 |  0.52 |  null |         | m-3 | m-2 | m-1 |  completeThrough
 *   minutesBack     |     0 |     1 |  null |                        0
 *
 * All from Postgres: the ring is no faster for a single minute, and has the newest one last.
 */
import { minuteMs } from '@minutely/schema/limits'
import type { Aggregation } from '@minutely/schema/query-wire'
import { type SeriesRef, seriesKey } from '@minutely/schema/series-identity'
import { compareText, orderedLabels } from './dictionary.ts'
import { labelParameters } from './label-filter.ts'
import type { Parameters } from './parameters.ts'
import { tooManyCells, tooManySeries } from './range-limits.ts'
import { readAggregations } from './range-question.ts'
import type { MetricDeps } from './read-metric.ts'
import { readSelector, type SeriesSelector, selectorSql } from './series-selector.ts'
import { containsPattern, readQuery } from './servers.ts'
import { StepMatrix } from './step-matrix.ts'
import type { StoreSession } from './store-session.ts'
import type { TimeRange } from './time-range.ts'

export interface LatestQuestion {
  readonly selector: SeriesSelector
  /** Part of the server id, in any case. */
  readonly query: string | undefined
  readonly aggregations: readonly Aggregation[]
  readonly minutes: number
}

export const latestParameters: readonly string[] = ['query', 'metricId', ...labelParameters, 'agg', 'minutes']
export const minutesLimit = { min: 1, max: 60, default: 1 } as const

export interface LatestAnswer {
  readonly aggregations: readonly Aggregation[]
  readonly completeThroughMs: number
  readonly startMs: number
  readonly endMs: number
  readonly servers: readonly string[]
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
  }
}

interface FoundRow {
  series_id: number
  server_id: string
  metric_id: string
  /** JSON: read once for each different one, not once a series. */
  labels: string
}

export async function readLatest(question: LatestQuestion, deps: Omit<MetricDeps, 'ring'>): Promise<LatestAnswer> {
  const { session, config, budget } = deps
  const { minutes, aggregations } = question
  const completeThroughMs = await session.completeThroughMs()
  const endMs = Math.floor(completeThroughMs / minuteMs) * minuteMs
  const startMs = Math.max(0, endMs - minutes * minuteMs)
  const found = await findRows(question, session, Math.min(config.summarySeriesMax, config.pointsMax))
  const table = tableOf(found)
  const cellCount = table.servers.length * table.series.length
  if (cellCount > config.pointsMax) throw tooManyCells(table, config.pointsMax)
  const release = budget.take(cellCount)
  try {
    // One step over all of it: what is newer replaces what is older.
    const range: TimeRange = { startMs, endMs, stepMs: minuteMs, stepCount: 1 }
    const values = new StepMatrix(cellCount, range)
    const minutesBack = new Uint8Array(cellCount)
    const seriesIds = found.map(({ series_id }) => series_id)
    await session.readMinutes({ seriesIds, fromMs: startMs, toMs: endMs }, (seriesId, atMs, minute) => {
      const slot = table.slotOf.get(seriesId) as number
      // Of one series they come in ascending order.
      values.min[slot] = minute.min
      values.max[slot] = minute.max
      values.sum[slot] = minute.sum
      values.count[slot] = minute.count
      minutesBack[slot] = (endMs - atMs) / minuteMs - 1
    })
    const { servers, series } = table
    return { aggregations, completeThroughMs, startMs, endMs, servers, series, values, minutesBack, release }
  } catch (error) {
    release()
    throw error
  }
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

interface Table {
  readonly servers: readonly string[]
  readonly series: readonly SeriesRef[]
  readonly slotOf: ReadonlyMap<number, number>
}

/** Rows come by server. */
function tableOf(rows: readonly FoundRow[]): Table {
  const servers: string[] = []
  const seriesOf = new SeriesNumbers()
  const places = rows.map(({ series_id: seriesId, server_id: serverId, metric_id: metricId, labels }) => {
    if (serverId !== servers.at(-1)) servers.push(serverId)
    return { seriesId, server: servers.length - 1, number: seriesOf.numberOf(metricId, labels) }
  })
  const { series, rankOf } = seriesOf.sorted()
  const slotOf = new Map<number, number>()
  for (const { seriesId, server, number } of places) {
    slotOf.set(seriesId, (rankOf[number] as number) * servers.length + server)
  }
  return { servers, series, slotOf }
}

/** The different (metric, labels), numbered as they come. By metric first: a common key would be made anew for each row. */
class SeriesNumbers {
  readonly #numbers = new Map<string, Map<string, number>>()
  readonly #series: SeriesRef[] = []

  numberOf(metricId: string, labels: string): number {
    const ofMetric = this.#numbers.get(metricId) ?? new Map<string, number>()
    const known = ofMetric.get(labels)
    if (known !== undefined) return known
    this.#numbers.set(metricId, ofMetric.set(labels, this.#series.length))
    return this.#series.push({ metricId, labels: orderedLabels(JSON.parse(labels) as Record<string, string>) }) - 1
  }

  /** rankOf: number -> place in `series`. */
  sorted(): { series: SeriesRef[]; rankOf: number[] } {
    const sorted = this.#series
      .map((series, number) => ({ series, number, key: seriesKey(series) }))
      .sort((a, b) => compareText(a.key, b.key))
    const rankOf: number[] = []
    sorted.forEach(({ number }, rank) => {
      rankOf[number] = rank
    })
    return { series: sorted.map(({ series }) => series), rankOf }
  }
}
