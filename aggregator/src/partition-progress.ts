/**
 * How far a partition is stored: the table `partition_progress`, written in the transaction of the minutes.
 *
 * It is also how a running consumer notices that the database lost commits (failed over to a standby that lagged, or
 * was restored): each write makes updated_at larger, so a row that is older than the last one written, or gone, means
 * that minutes which counted as stored may be missing, and series ids that were given out may name nothing. A row that is
 * newer may hide the same: of two owners (one paused, replaced and continued) the other may have written after the loss. Whoever
 * sees either starts again from what the database has. The version of a row is updated_at as Postgres writes it, to the
 * microsecond.
 *
 * The anchor (sample-log.ts) says of which log the position is. It is written with the position and goes with it: a database that is set
 * back to before a log was found to be another one has the anchor of the old log again, and finds it out again.
 *
 * Every writer locks the row before it touches anything else, so that two owners of one partition (one paused,
 * replaced and continued) take turns instead of running into a deadlock.
 */
import { inTransaction, type Pool, type PoolClient } from '@minutely/lib/postgres/pool'
import type { LogAnchor, LogPartition } from '@minutely/lib/sample-log/sample-log'
import {
  type FirstProgress,
  type KnownProgress,
  type ProgressVersion,
  type StoredProgress,
  StoreMovedError,
  StoreRewoundError,
} from './minute-store.ts'

/** A timestamptz as Postgres writes it. */
const versionPattern = /^\d{4,6}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d+)?[+-]\d\d(:\d\d)?$/

interface ProgressRow {
  readonly position: number
  readonly complete_ms: number
  readonly anchor_position: number | null
  readonly anchor_ms: number | null
  readonly version: string
  readonly behind: boolean
}

export async function readProgress(
  pool: Pool,
  { topic, partition }: LogPartition,
  since?: ProgressVersion,
): Promise<StoredProgress> {
  // Whatever else stands there is no version: somebody moved the group by hand.
  const known = since !== undefined && versionPattern.test(since) ? since : undefined
  const { rows } = await pool.query<ProgressRow>(
    `select position::float8, (extract(epoch from complete_through_at) * 1000)::float8 as complete_ms,
            anchor_position::float8, anchor_appended_at_ms::float8 as anchor_ms,
            updated_at::text as version, coalesce(updated_at < $3::timestamptz, false) as behind
     from partition_progress where topic = $1 and partition = $2`,
    [topic, partition, known],
  )
  const [row] = rows
  if (row === undefined) {
    const isBehind = known !== undefined
    return { position: undefined, completeThroughMs: 0, anchor: undefined, version: undefined, isBehind }
  }
  const { position, complete_ms: completeThroughMs, version, behind: isBehind } = row
  return { position, completeThroughMs, anchor: anchorOf(row), version, isBehind }
}

function anchorOf({ anchor_position: position, anchor_ms: appendedAtMs }: ProgressRow): LogAnchor | undefined {
  return position === null || appendedAtMs === null ? undefined : { position, appendedAtMs }
}

/** @throws StoreMovedError when the row is a later one than the known, StoreRewoundError when it is an earlier one or gone. */
export async function lockProgress(client: PoolClient, { partition, version }: KnownProgress): Promise<void> {
  const { topic, partition: number } = partition
  const { rows } = await client.query<{ version: string; later: boolean }>(
    `select updated_at::text as version, updated_at > $3::timestamptz as later from partition_progress
     where topic = $1 and partition = $2 for update`,
    [topic, number, version ?? '-infinity'],
  )
  const [row] = rows
  if (row?.version === version) return
  const name = `${topic}/${number}`
  if (row?.later === true)
    throw new StoreMovedError(
      `${name} was stored at ${row.version}, and we know of ${version ?? 'nothing'}: by another owner, or the answer was lost`,
    )
  throw new StoreRewoundError(
    `the database lost commits: what was stored of ${name} at ${version} is not there any more`,
  )
}

/**
 * The first row of a partition, as soon as it is read and before its first series becomes known to readers: they must not
 * take the minutes of other partitions for its own, also not those of a server that has just moved to it.
 */
export async function beginProgress(
  pool: Pool,
  partition: LogPartition,
  reached: FirstProgress,
): Promise<ProgressVersion> {
  return inTransaction(pool, (client) => saveProgress(client, partition, reached))
}

/** After the log began anew: the position goes back, alone, and the anchor is of a log that is gone. @returns undefined when there is no row. */
export async function resetProgress(
  client: PoolClient,
  { topic, partition }: LogPartition,
  position: number,
): Promise<ProgressVersion> {
  const { rows } = await client.query<{ version: string }>(
    `update partition_progress set position = $3, anchor_position = null, anchor_appended_at_ms = null,
       updated_at = greatest(updated_at + interval '1 microsecond', now())
     where topic = $1 and partition = $2
     returning updated_at::text as version`,
    [topic, partition, position],
  )
  return rows[0]?.version
}

/** Neither the position nor the instant ever goes back: whoever writes has stored all before both. */
export async function saveProgress(
  client: PoolClient,
  { topic, partition }: LogPartition,
  reached: FirstProgress,
): Promise<ProgressVersion> {
  const { rows } = await client.query<{ version: string }>(
    `insert into partition_progress as kept
       (topic, partition, position, complete_through_at, anchor_position, anchor_appended_at_ms)
     values ($1, $2, $3, to_timestamp($4 / 1000.0), $5, $6)
     on conflict (topic, partition) do update set
       position = greatest(kept.position, excluded.position),
       complete_through_at = greatest(kept.complete_through_at, excluded.complete_through_at),
       anchor_position = coalesce(excluded.anchor_position, kept.anchor_position),
       anchor_appended_at_ms = coalesce(excluded.anchor_appended_at_ms, kept.anchor_appended_at_ms),
       updated_at = greatest(kept.updated_at + interval '1 microsecond', now())
     returning updated_at::text as version`,
    [topic, partition, reached.position, reached.completeThroughMs, ...anchorFields(reached.anchor)],
  )
  return rows[0]?.version
}

/** Marks that something was written for this partition, so that its loss shows. Nothing before the first flush. */
export async function touchProgress(
  client: PoolClient,
  { partition: { topic, partition }, anchor }: KnownProgress,
): Promise<ProgressVersion> {
  const { rows } = await client.query<{ version: string }>(
    `update partition_progress set
       anchor_position = coalesce($3, anchor_position), anchor_appended_at_ms = coalesce($4, anchor_appended_at_ms),
       updated_at = greatest(updated_at + interval '1 microsecond', now())
     where topic = $1 and partition = $2
     returning updated_at::text as version`,
    [topic, partition, ...anchorFields(anchor)],
  )
  return rows[0]?.version
}

function anchorFields(anchor: LogAnchor | undefined): [number | undefined, number | undefined] {
  return [anchor?.position, anchor?.appendedAtMs]
}
