/**
 * Partitions that the log no longer has (a topic was deleted, the deployment moved to another log) must not hold back
 * `completeThrough`, which is the least over all rows of partition_progress.
 */
import type { Pool } from '@minutely/lib/postgres/pool'
import type { SampleLog } from '@minutely/lib/sample-log/sample-log'

/** A row that was written lately belongs to a partition newer than the list. */
const untouchedMinutes = 5

/** @returns those whose progress was removed, as `topic/partition`. */
export async function retirePartitions(sampleLog: Pick<SampleLog, 'partitions'>, pool: Pool): Promise<string[]> {
  const existing = await sampleLog.partitions()
  const names = [existing.map(({ topic }) => topic), existing.map(({ partition }) => partition), untouchedMinutes]
  await pool.query(
    `delete from partition_run
     where begun_at < now() - make_interval(mins => $3)
       and (topic, partition) not in (select * from unnest($1::text[], $2::integer[]))`,
    names,
  )
  const { rows } = await pool.query<{ name: string }>(
    `delete from partition_progress
     where updated_at < now() - make_interval(mins => $3)
       and (topic, partition) not in (select * from unnest($1::text[], $2::integer[]))
     returning topic || '/' || partition as name`,
    names,
  )
  return rows.map(({ name }) => name)
}
