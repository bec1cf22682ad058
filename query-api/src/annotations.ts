/**
 * Annotations in Postgres: listed by the reader, added and removed by the annotator, whose role can do nothing else. Row-level
 * security keeps both to their tenant. Instants are ms since the epoch, ranges half-open.
 *
 * How many there may be is counted under a lock of the tenant's, so that processes that add at the same time do not go past it.
 */
import type { PoolClient } from '@minutely/lib/postgres/pool'
import {
  type Annotation,
  type AnnotationsAnswer,
  annotationTag,
  instantMaxMs,
  type NewAnnotation,
} from '@minutely/schema/annotation-wire'
import { ApiError } from '@minutely/schema/error-catalogue'
import { invalid, type Parameters, show } from './parameters.ts'
import { readMetricId, readServerId } from './range-question.ts'
import { readInstant } from './time-range.ts'

export interface AnnotationsQuestion {
  readonly fromMs: number | undefined
  /** Half-open. */
  readonly toMs: number | undefined
  /** Those that are about it; undefined: all. */
  readonly serverId: string | undefined
  readonly metricId: string | undefined
  /** Those with one of these; empty: all. */
  readonly tags: readonly string[]
  readonly limit: number
  readonly after: { readonly startMs: number; readonly annotationId: number } | undefined
}

export const annotationsParameters: readonly string[] = ['from', 'to', 'serverId', 'metricId', 'tag', 'limit', 'cursor']
export const annotationsLimit = { min: 1, max: 1000, default: 100 } as const
const cursorVersion = 1
/** The tenant is the other half of the lock. */
const advisoryClass = 7_070_011

export function readAnnotationsQuestion(parameters: Parameters, nowMs: number): AnnotationsQuestion {
  const [fromMs, toMs] = (['from', 'to'] as const).map((name) => readInstant(name, parameters.single(name), nowMs))
  if (fromMs !== undefined && toMs !== undefined && fromMs >= toMs) {
    throw new ApiError('range-invalid', `from (${fromMs}) is not before to (${toMs}); the range is half-open`)
  }
  const [serverId, metricId] = [parameters.single('serverId'), parameters.single('metricId')]
  const tags = parameters.list('tag')
  const wrong = tags.find((tag) => !annotationTag.safeParse(tag).success)
  if (wrong !== undefined) throw invalid('tag', `is ${show(wrong)}; a tag is up to 50 letters, digits and _ . : / -`)
  const cursor = parameters.single('cursor')
  return {
    fromMs,
    toMs,
    serverId: serverId === undefined ? undefined : readServerId(serverId),
    metricId: metricId === undefined ? undefined : readMetricId(metricId),
    tags,
    limit: parameters.integer('limit', annotationsLimit),
    after: cursor === undefined ? undefined : decodeCursor(cursor),
  }
}

interface AnnotationRow {
  annotation_id: string
  start_at: Date
  end_at: Date
  text: string
  tags: string[]
  server_glob: string | null
  metric_glob: string | null
  created_at: Date
}

/** Names that a glob may be of have no other character that LIKE knows. */
const isAbout = (glob: string, place: string): string =>
  `(${place}::text is null or ${glob} is null or ${place} like replace(replace(${glob}, '_', '\\_'), '*', '%'))`

export async function listAnnotations(question: AnnotationsQuestion, client: PoolClient): Promise<AnnotationsAnswer> {
  const { fromMs, toMs, serverId, metricId, tags, limit, after } = question
  const instant = (ms: number | undefined): Date | null => (ms === undefined ? null : new Date(ms))
  const { rows } = await client.query<AnnotationRow>(
    `select * from annotation
     where ($1::timestamptz is null or end_at > $1 or start_at >= $1) and ($2::timestamptz is null or start_at < $2)
       and ${isAbout('server_glob', '$3')} and ${isAbout('metric_glob', '$4')}
       and (cardinality($5::text[]) = 0 or tags && $5)
       and ($6::timestamptz is null or (start_at, annotation_id) > ($6, $7::bigint))
     order by start_at, annotation_id limit $8`,
    [
      instant(fromMs),
      instant(toMs),
      serverId ?? null,
      metricId ?? null,
      tags,
      instant(after?.startMs),
      after?.annotationId ?? null,
      limit + 1,
    ],
  )
  const annotations = rows.slice(0, limit).map(toAnnotation)
  const last = annotations.at(-1)
  return { annotations, nextCursor: rows.length > limit && last !== undefined ? encodeCursor(last) : null }
}

/** @throws ApiError too-many-annotations */
export async function addAnnotation(
  added: NewAnnotation,
  client: PoolClient,
  { annotationsMax }: { readonly annotationsMax: number },
): Promise<Annotation> {
  const { startMs, endMs = startMs, text, tags = [], serverGlob, metricGlob } = added
  const tenantId = `current_setting('minutely.tenant_id')::integer`
  await client.query('begin')
  try {
    await client.query(`select pg_advisory_xact_lock(${advisoryClass}, ${tenantId})`)
    const { rows } = await client.query<AnnotationRow>(
      `insert into annotation (tenant_id, start_at, end_at, text, tags, server_glob, metric_glob)
       select ${tenantId}, $1, $2, $3, $4, $5, $6 where (select count(*) from annotation) < $7 returning *`,
      [new Date(startMs), new Date(endMs), text, tags, serverGlob ?? null, metricGlob ?? null, annotationsMax],
    )
    const [row] = rows
    if (row === undefined) {
      throw new ApiError(
        'too-many-annotations',
        `${annotationsMax} annotations are kept, the limit; delete some, or raise MINUTELY_QUERY_ANNOTATIONS_MAX`,
        { details: { annotationsMax } },
      )
    }
    await client.query('commit')
    return toAnnotation(row)
  } catch (error) {
    // A connection that is lost has nothing to roll back.
    await client.query('rollback').catch(() => {})
    throw error
  }
}

/** @throws ApiError annotation-not-found */
export async function removeAnnotation(annotationId: number, client: PoolClient): Promise<void> {
  const { rowCount } = await client.query('delete from annotation where annotation_id = $1', [annotationId])
  if (rowCount === 1) return
  throw new ApiError('annotation-not-found', `There is no annotation ${annotationId}; GET /v1/annotations lists them`)
}

function toAnnotation(row: AnnotationRow): Annotation {
  return {
    annotationId: Number(row.annotation_id),
    startMs: row.start_at.getTime(),
    endMs: row.end_at.getTime(),
    text: row.text,
    tags: row.tags,
    serverGlob: row.server_glob,
    metricGlob: row.metric_glob,
    createdMs: row.created_at.getTime(),
  }
}

function encodeCursor({ startMs, annotationId }: Annotation): string {
  return Buffer.from(JSON.stringify([cursorVersion, startMs, annotationId])).toString('base64url')
}

function decodeCursor(cursor: string): { startMs: number; annotationId: number } {
  try {
    const [version, startMs, annotationId] = JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8')) as unknown[]
    const isCount = (value: unknown, max: number): value is number =>
      Number.isInteger(value) && (value as number) >= 0 && (value as number) <= max
    if (version === cursorVersion && isCount(startMs, instantMaxMs) && isCount(annotationId, Number.MAX_SAFE_INTEGER)) {
      return { startMs, annotationId }
    }
  } catch {
    // Falls through to the one answer for all that is no cursor of ours.
  }
  throw invalid('cursor', 'is not a nextCursor of an earlier page; leave it out to start over')
}
