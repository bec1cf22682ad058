/**
 * Lists: the servers of the tenant, page by page, and the series of one server with when they were first and last seen.
 * Instants are ms since the epoch.
 *
 * Pages are by key, not by offset: a page costs the same wherever it is, and servers that come or go between two pages
 * neither repeat nor hide others. The cursor is opaque: the last server id of the page, encoded.
 */
import { HourMerge } from '@minutely/lib/minute-tiers/hour-merge'
import { TierMerge } from '@minutely/lib/minute-tiers/tier-merge'
import { hasSeries } from '@minutely/lib/minute-tiers/tier-query'
import type { PoolClient } from '@minutely/lib/postgres/pool'
import { minutesPerHour } from '@minutely/schema/hour-block/minute-columns'
import { ownServerPrefix } from '@minutely/schema/ingest-names'
import { minuteMs, serverIdPattern } from '@minutely/schema/limits'
import { chunkBits } from '@minutely/schema/minute-block/minute-block'
import type { MetricEntry, MetricsAnswer, ServersAnswer } from '@minutely/schema/query-wire'
import { assertServerExists, compareSeries, condition, orderedLabels } from './dictionary.ts'
import { labelParameters } from './label-filter.ts'
import { invalid, type Parameters, show } from './parameters.ts'
import { readSelector, type SeriesSelector, selectorSql } from './series-selector.ts'
import type { StoreSession } from './store-session.ts'

export interface ServersQuestion {
  /** Part of the server id, in any case. */
  readonly query: string | undefined
  /** Servers that have such a series; undefined: all. */
  readonly selector: SeriesSelector | undefined
  readonly limit: number
  readonly afterServerId: string | undefined
  /** Counting takes longer than all the rest. */
  readonly isCounted: boolean
}

export const serversParameters: readonly string[] = [
  'query',
  'metricId',
  ...labelParameters,
  'limit',
  'cursor',
  'seriesCount',
]
export const seriesCountWords = ['yes', 'no'] as const
export const serverMetricsParameters: readonly string[] = ['metricId', ...labelParameters]
export const serversLimit = { min: 1, max: 10_000, default: 100 } as const
const cursorVersion = 1
/** SQL: Minutely's own are in no list of servers. */
export const isNotOwn = `not starts_with(server_id, '${ownServerPrefix}')`

export function readServersQuestion(parameters: Parameters): ServersQuestion {
  const cursor = parameters.single('cursor')
  const selector = readSelector(parameters)
  const isSelective = selector.metricGlobs.length > 0 || selector.labelFilters.size > 0
  return {
    query: readQuery(parameters),
    selector: isSelective ? selector : undefined,
    limit: parameters.integer('limit', serversLimit),
    afterServerId: cursor === undefined ? undefined : decodeCursor(cursor),
    isCounted: parameters.word('seriesCount', seriesCountWords) !== 'no',
  }
}

/** Part of an id, for `ilike`. */
export function readQuery(parameters: Parameters): string | undefined {
  const query = parameters.single('query')
  // Postgres takes no NUL in a text, and no id has any of the others.
  if (query === undefined || !/\p{Cc}/u.test(query)) return query
  throw invalid('query', `is ${show(query)}; an id has no control characters`)
}

export async function listServers(question: ServersQuestion, session: StoreSession): Promise<ServersAnswer> {
  const { query, selector, limit, afterServerId, isCounted } = question
  const values: unknown[] = [containsPattern(query), afterServerId ?? null, limit + 1]
  const hasSeries =
    selector === undefined
      ? 'true'
      : `exists (select from series where series.tenant_id = server.tenant_id and series.server_id = server.server_id
           and ${selectorSql(selector, values)})`
  const count = isCounted
    ? `(select count(*)::integer from series where series.tenant_id = server.tenant_id and series.server_id = server.server_id)`
    : 'null::integer'
  // Instants as numbers: reading them as dates takes as long as the query.
  const { rows } = await session.client.query<ServerRow>(
    `select server_id, (extract(epoch from first_seen_at) * 1000)::float8 as first_seen_ms,
       (extract(epoch from last_seen_at) * 1000)::float8 as last_seen_ms, ${count} as n
     from server
     where ${isNotOwn} and ($1::text is null or server_id ilike $1) and ($2::text is null or server_id > $2) and ${hasSeries}
     order by server_id limit $3`,
    values,
  )
  const page = rows.slice(0, limit)
  const last = page.at(-1)
  return {
    servers: page.map((row) => ({
      serverId: row.server_id,
      firstSeenMs: Math.round(row.first_seen_ms),
      lastSeenMs: Math.round(row.last_seen_ms),
      ...(row.n === null ? {} : { seriesCount: row.n }),
    })),
    nextCursor: rows.length > limit && last !== undefined ? encodeCursor(last.server_id) : null,
  }
}

/** Null: any. */
export function containsPattern(query: string | undefined): string | null {
  return query === undefined ? null : `%${query.replace(/[\\%_]/g, '\\$&')}%`
}

export async function listMetrics(
  question: { readonly serverId: string; readonly selector: SeriesSelector },
  session: StoreSession,
): Promise<MetricsAnswer> {
  const { client } = session
  const { serverId } = question
  const { where, values } = condition(question)
  const { rows } = await client.query<MetricRow>(
    `select series_id, metric_id, labels, first_seen_at from series where ${where}`,
    values,
  )
  if (rows.length === 0) await assertServerExists(client, serverId)
  const newestMs = await newestMinutes(
    client,
    rows.map((row) => row.series_id),
  )
  const metrics = rows.map((row): MetricEntry => {
    const firstSeenMs = row.first_seen_at.getTime()
    const minuteAtMs = newestMs.get(row.series_id)
    // The dictionary outlives minutes: a series whose last one fell to retention was seen when it began.
    const lastSeenMs = minuteAtMs === undefined ? firstSeenMs : minuteAtMs + minuteMs
    return { metricId: row.metric_id, labels: orderedLabels(row.labels), firstSeenMs, lastSeenMs }
  })
  return { serverId, metrics: metrics.sort(compareSeries) }
}

/**
 * The newest minute of each series. One that is alive is in one of the last blocks of its chunk, where it takes a probe of the index or
 * two. The blocks of a chunk say nothing of a series that is not, until all of them were looked at: two hours of them, once for all
 * such series of a chunk. After the hot minutes come the sealed ones: what is packed and dropped in between is then found there.
 */
export async function newestMinutes(client: PoolClient, seriesIds: readonly number[]): Promise<Map<number, number>> {
  const newestMs = new Map<number, number>()
  const lookFor = async (wanted: readonly number[], sql: string): Promise<void> => {
    if (wanted.length === 0) return
    const { rows } = await client.query<{ series_id: number; minute_at: Date }>(sql, [wanted])
    for (const row of rows) newestMs.set(row.series_id, row.minute_at.getTime())
  }
  await lookFor(seriesIds, newestBlocksSql)
  const missing = seriesIds.filter((id) => !newestMs.has(id))
  await lookFor(missing, hotMinutesSql)
  if (missing.length > 0) await lookInBlocks(client, missing, newestMs)
  const stillMissing = missing.filter((id) => !newestMs.has(id))
  if (stillMissing.length > 0) await lookInDays(client, stillMissing, newestMs)
  return newestMs
}

const newestBlocksSql = `select wanted.series_id, newest.minute_at from unnest($1::integer[]) as wanted (series_id)
  cross join lateral (
    select minute_at from minute_block
    where ${hasSeries('wanted.series_id')} and minute_at >= now() - interval '5 minutes' order by minute_at desc limit 1
  ) as newest`

const hotMinutesSql = `select newest.series_id, newest.minute_at
  from (select series_id >> ${chunkBits} as chunk, array_agg(series_id) as series_ids
    from unnest($1::integer[]) as series_id group by 1) as wanted
  cross join lateral (
    select series_id, max(minute_at) as minute_at from unnest(series_ids) as series_id
    join minute_block on minute_block.chunk = wanted.chunk and ${hasSeries('series_id')} group by series_id
  ) as newest`

/** Late data may have left a hot minute that is older than the newest block. */
async function lookInBlocks(
  client: PoolClient,
  seriesIds: readonly number[],
  newestMs: Map<number, number>,
): Promise<void> {
  const { rows } = await client.query<{ series_id: number; hour: number; block: Buffer }>(
    `select wanted.series_id, newest.hour, newest.block from unnest($1::integer[]) as wanted (series_id)
     cross join lateral (
       select hour, block from hour_block where hour_block.series_id = wanted.series_id order by hour desc limit 1
     ) as newest`,
    [seriesIds],
  )
  const everything = { fromMinute: 0, toMinute: Number.POSITIVE_INFINITY }
  const merge = new TierMerge(everything, {
    minute: ({ seriesId, minute }) => {
      newestMs.set(seriesId, Math.max(minute * minuteMs, newestMs.get(seriesId) ?? 0))
    },
  })
  for (const { series_id: seriesId, hour, block } of rows) merge.block({ seriesId, hour }, block)
  merge.end()
}

/** Where only hours are left: the last minute of the newest one. */
async function lookInDays(
  client: PoolClient,
  seriesIds: readonly number[],
  newestMs: Map<number, number>,
): Promise<void> {
  const { rows } = await client.query<{ series_id: number; day: number; block: Buffer }>(
    `select wanted.series_id, newest.day, newest.block from unnest($1::integer[]) as wanted (series_id)
     cross join lateral (
       select day, block from day_block where day_block.series_id = wanted.series_id order by day desc limit 1
     ) as newest`,
    [seriesIds],
  )
  const everything = { fromHour: 0, toHour: Number.POSITIVE_INFINITY, minutesFrom: Number.POSITIVE_INFINITY }
  const merge = new HourMerge(everything, (seriesId, minute) => {
    newestMs.set(seriesId, (minute + minutesPerHour - 1) * minuteMs)
  })
  for (const { series_id: seriesId, day, block } of rows) merge.day({ seriesId, day }, block)
  merge.end()
}

interface ServerRow {
  server_id: string
  first_seen_ms: number
  last_seen_ms: number
  n: number | null
}

interface MetricRow {
  series_id: number
  metric_id: string
  labels: Record<string, string>
  first_seen_at: Date
}

/** Of the last entry of a page, by its id. */
export function encodeCursor(id: string): string {
  return Buffer.from(JSON.stringify([cursorVersion, id])).toString('base64url')
}

export function decodeCursor(cursor: string, idPattern = serverIdPattern): string {
  try {
    const [version, id] = JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8')) as [unknown, unknown]
    if (version === cursorVersion && typeof id === 'string' && idPattern.test(id)) return id
  } catch {
    // Falls through to the one answer for all that is no cursor of ours.
  }
  throw invalid('cursor', 'is not a nextCursor of an earlier page; leave it out to start over')
}
