/** Positions in the Postgres log: what is kept, what a group has committed, and whether a position that has no record is a gap. */
import type { Pool, PoolClient } from '../postgres/pool.ts'
import type { LogCommit, LogGap } from './sample-log.ts'

const oldestSql = `coalesce((select min(position) from log_record where partition = $1),
  (select next_position from log_partition where partition = $1), 0)::float8`

/** The next position when no record is kept. */
export async function oldestPosition(pool: Pool, partition: number): Promise<number> {
  const { rows } = await pool.query<{ oldest: number }>(`select ${oldestSql} as oldest`, [partition])
  return rows[0]?.oldest ?? 0
}

/** The oldest position when the group never committed one. */
export async function committedPosition(pool: Pool, place: { group: string; partition: number }): Promise<LogCommit> {
  const { rows } = await pool.query<{ position: number }>(
    'select position::float8 as position from log_group where group_name = $1 and partition = $2',
    [place.group, place.partition],
  )
  return { position: rows[0]?.position || (await oldestPosition(pool, place.partition)) }
}

export async function commitPosition(
  client: Pool | PoolClient,
  { group, partition, position }: { group: string; partition: number; position: number },
): Promise<void> {
  await client.query(
    `update log_group set position = greatest(position, $3), committed_at = now()
     where group_name = $1 and partition = $2`,
    [group, partition, position],
  )
}

/**
 * Why the record at a position is not there, if it was or should have been. Positions have no holes, so it is dropped when a
 * later one is there; and the log never was that long when its end lies before. One statement, hence one instant.
 */
export async function gapAt(pool: Pool, partition: number, position: number): Promise<LogGap | undefined> {
  const { rows } = await pool.query<{ oldest: number; next: number; there: boolean }>(
    `select ${oldestSql} as oldest,
       coalesce((select next_position from log_partition where partition = $1), 0)::float8 as next,
       exists (select from log_record where partition = $1 and position = $2) as there`,
    [partition, position],
  )
  const found = rows[0]
  if (found === undefined || found.there || found.next === position) return undefined
  const { oldest, next } = found
  return { fromPosition: position, toPosition: oldest, reason: next < position ? 'rewound' : 'retention' }
}
