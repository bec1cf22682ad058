/**
 * Questions to the dictionary: which series there are. Row-level security adds the tenant to every condition; the
 * indexes (tenant, server, metric) and (tenant, metric, server) then serve both kinds of question.
 *
 * Order is by metric, server, then labels, whatever the plan of the query: equal questions get equal answers.
 */
import type { PoolClient } from '@minutely/lib/postgres/pool'
import { identityTag } from '@minutely/lib/recent-ring/recent-ring'
import { ApiError } from '@minutely/schema/error-catalogue'
import { type Labels, type SeriesRef, seriesKey, sortedLabels } from '@minutely/schema/series-identity'
import { type SeriesSelector, selectorSql } from './series-selector.ts'

export interface StoredSeries extends SeriesRef {
  readonly seriesId: number
  readonly serverId: string
  /** 32 bits of its identity, for the recent ring. */
  readonly tag: number
}

export interface SeriesQuestion {
  /** Absent: across servers. */
  readonly serverId?: string
  readonly selector: SeriesSelector
  /** At most this many are returned; ask for one more than you take to know that there are more. */
  readonly limit: number
}

export interface FoundSeries {
  readonly series: StoredSeries[]
  /**
   * Of the same snapshot. A partition has its progress before its first series, so it counts here when a series of it is found;
   * Infinity when none is.
   */
  readonly completeThroughMs: number
}

interface SeriesRow {
  complete_ms: number | null
  series_id: number
  identity: string
  server_id: string
  metric_id: string
  labels: Record<string, string>
}

export async function findSeries(client: PoolClient, question: SeriesQuestion): Promise<FoundSeries> {
  const { where, values } = condition(question)
  const { rows } = await client.query<SeriesRow>(
    `select series_id, identity, server_id, metric_id, labels,
            (select extract(epoch from min(complete_through_at)) * 1000 from partition_progress)::float8 as complete_ms
     from series where ${where} order by metric_id, server_id, labels limit $${values.push(question.limit)}`,
    values,
  )
  const [first] = rows
  return {
    series: rows.map(toStoredSeries).sort(compareSeries),
    completeThroughMs: first === undefined ? Number.POSITIVE_INFINITY : (first.complete_ms ?? 0),
  }
}

export async function countSeries(client: PoolClient, question: Omit<SeriesQuestion, 'limit'>): Promise<number> {
  const { where, values } = condition(question)
  const { rows } = await client.query<{ n: number }>(`select count(*)::integer as n from series where ${where}`, values)
  return rows[0]?.n ?? 0
}

export async function assertServerExists(client: PoolClient, serverId: string): Promise<void> {
  const { rowCount } = await client.query('select from server where server_id = $1', [serverId])
  if (rowCount === 1) return
  throw new ApiError(
    'server-not-found',
    `No server "${serverId}" has sent samples; GET /v1/servers?query= finds servers`,
  )
}

export async function assertMetricExists(client: PoolClient, metricId: string): Promise<void> {
  const { rowCount } = await client.query('select from series where metric_id = $1 limit 1', [metricId])
  if (rowCount === 1) return
  throw new ApiError(
    'metric-not-found',
    `No server has sent the metric "${metricId}"; GET /v1/servers/{serverId}/metrics lists those of one`,
  )
}

export function condition(question: Omit<SeriesQuestion, 'limit'>): { where: string; values: unknown[] } {
  const values: unknown[] = []
  const where = selectorSql(question.selector, values)
  if (question.serverId === undefined) return { where, values }
  return { where: `server_id = $${values.push(question.serverId)} and ${where}`, values }
}

function toStoredSeries(row: SeriesRow): StoredSeries {
  return {
    seriesId: row.series_id,
    serverId: row.server_id,
    tag: identityTag(row.identity),
    metricId: row.metric_id,
    labels: orderedLabels(row.labels),
  }
}

/** Sorted by name, for people and for equal bytes; jsonb sorts by length first. */
export function orderedLabels(labels: Labels): Labels {
  return Object.fromEntries(sortedLabels(labels))
}

export function compareSeries(
  a: SeriesRef & { readonly serverId?: string },
  b: SeriesRef & { readonly serverId?: string },
): number {
  return (
    compareText(a.metricId, b.metricId) ||
    compareText(a.serverId ?? '', b.serverId ?? '') ||
    compareText(seriesKey(a), seriesKey(b))
  )
}

export function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
