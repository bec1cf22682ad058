/**
 * `GET /v1/metrics`: the metrics of the tenant, page by page, by id. Instants are ms since the epoch.
 *
 * Counting is one walk along the index (tenant, metric, server) from the cursor on. When a metric was last seen is asked in
 * steps, since it stands with each of its series: of nearly every metric some series has the newest closed minute, and
 * the first that is found ends the search. Of the others all series are looked at, as long as that is no more than seriesLookedAtMax
 * on a page; then it is null.
 */
import { hasSeries } from '@minutely/lib/minute-tiers/tier-query'
import type { PoolClient } from '@minutely/lib/postgres/pool'
import { metricIdPattern, minuteMs } from '@minutely/schema/limits'
import { unitOf } from '@minutely/schema/metric-unit'
import type { MetricListAnswer } from '@minutely/schema/query-wire'
import { labelParameters } from './label-filter.ts'
import type { Parameters } from './parameters.ts'
import { readSelector, type SeriesSelector, selectorSql } from './series-selector.ts'
import { containsPattern, decodeCursor, encodeCursor, newestMinutes, readQuery } from './servers.ts'
import type { StoreSession } from './store-session.ts'

export interface MetricListQuestion {
  /** Part of the metric's id, in any case. */
  readonly query: string | undefined
  readonly selector: SeriesSelector
  readonly limit: number
  readonly afterMetricId: string | undefined
}

export const metricListParameters: readonly string[] = ['query', 'metricId', ...labelParameters, 'limit', 'cursor']
export const metricListLimit = { min: 1, max: 1000, default: 100 } as const
/** Two hours of blocks of each chunk, each looked at for each of its series: about 0.3 s. */
const seriesLookedAtMax = 5_000

export function readMetricListQuestion(parameters: Parameters): MetricListQuestion {
  const cursor = parameters.single('cursor')
  return {
    query: readQuery(parameters),
    selector: readSelector(parameters),
    limit: parameters.integer('limit', metricListLimit),
    afterMetricId: cursor === undefined ? undefined : decodeCursor(cursor, metricIdPattern),
  }
}

interface MetricRow {
  metric_id: string
  first_seen_at: Date
  series_count: number
  server_count: number
}

export async function listAllMetrics(question: MetricListQuestion, session: StoreSession): Promise<MetricListAnswer> {
  const { query, selector, limit, afterMetricId } = question
  const completeThroughMs = await session.completeThroughMs()
  const values: unknown[] = [containsPattern(query), afterMetricId ?? null, limit + 1]
  const { rows } = await session.client.query<MetricRow>(
    `select metric_id, min(first_seen_at) as first_seen_at, count(*)::integer as series_count,
            count(distinct server_id)::integer as server_count
     from series where ($1::text is null or metric_id ilike $1) and ($2::text is null or metric_id > $2)
       and ${selectorSql(selector, values)}
     group by metric_id order by metric_id limit $3`,
    values,
  )
  const page = rows.slice(0, limit)
  const lastSeenMs = await lastSeen(page, { client: session.client, selector, completeThroughMs })
  const last = page.at(-1)
  return {
    completeThroughMs,
    metrics: page.map((row) => ({
      metricId: row.metric_id,
      unit: unitOf(row.metric_id),
      serverCount: row.server_count,
      seriesCount: row.series_count,
      firstSeenMs: row.first_seen_at.getTime(),
      lastSeenMs: lastSeenMs.get(row.metric_id) ?? null,
    })),
    nextCursor: rows.length > limit && last !== undefined ? encodeCursor(last.metric_id) : null,
  }
}

interface Asked {
  readonly client: PoolClient
  readonly selector: SeriesSelector
  readonly completeThroughMs: number
}

/** End of each metric's newest minute, as far as it is known; completeThroughMs at most. */
async function lastSeen(page: readonly MetricRow[], asked: Asked): Promise<Map<string, number>> {
  const { completeThroughMs } = asked
  const seenMs = new Map<string, number>()
  for (const metricId of await seenInMinute(page, asked)) seenMs.set(metricId, completeThroughMs)
  let lookedAt = 0
  for (const { metric_id: metricId, series_count: seriesCount, first_seen_at: firstSeenAt } of page) {
    if (seenMs.has(metricId) || lookedAt + seriesCount > seriesLookedAtMax) continue
    lookedAt += seriesCount
    const minuteAtMs = await newestMinuteOf(metricId, asked)
    // As of a series: what fell to retention was seen when it began.
    const endMs = minuteAtMs === undefined ? firstSeenAt.getTime() : minuteAtMs + minuteMs
    seenMs.set(metricId, completeThroughMs > 0 ? Math.min(endMs, completeThroughMs) : endMs)
  }
  return seenMs
}

/** Those of which some series has the newest closed minute. */
async function seenInMinute(page: readonly MetricRow[], asked: Asked): Promise<string[]> {
  const { client, selector, completeThroughMs } = asked
  if (page.length === 0 || completeThroughMs === 0) return []
  const values: unknown[] = [page.map(({ metric_id }) => metric_id), new Date(completeThroughMs - minuteMs)]
  // `limit 1` makes it a probe after the other up to the first hit, not a join of all.
  const { rows } = await client.query<{ metric_id: string }>(
    `select wanted.metric_id from unnest($1::text[]) as wanted (metric_id)
     cross join lateral (
       select 1 from series join minute_block on ${hasSeries('series.series_id')}
       where series.metric_id = wanted.metric_id and minute_at = $2 and ${selectorSql(labelsOnly(selector), values)} limit 1
     ) as found`,
    values,
  )
  return rows.map(({ metric_id }) => metric_id)
}

async function newestMinuteOf(metricId: string, { client, selector }: Asked): Promise<number | undefined> {
  const values: unknown[] = [metricId]
  const { rows } = await client.query<{ series_id: number }>(
    `select series_id from series where metric_id = $1 and ${selectorSql(labelsOnly(selector), values)}`,
    values,
  )
  const newestMs = await newestMinutes(
    client,
    rows.map(({ series_id }) => series_id),
  )
  return newestMs.size === 0 ? undefined : newestMs.values().reduce((a, b) => Math.max(a, b))
}

function labelsOnly({ labelFilters }: SeriesSelector): SeriesSelector {
  return { metricGlobs: [], labelFilters }
}
