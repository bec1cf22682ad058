/** The table `partition_run`: owners of a partition that were begun and not heard of since. */
import type { Pool } from '@minutely/lib/postgres/pool'
import type { LogPartition } from '@minutely/lib/sample-log/sample-log'

/** @returns how many there are in a row now, this one included. */
export async function beginRun(pool: Pool, { topic, partition }: LogPartition): Promise<number> {
  const { rows } = await pool.query<{ unfinished: number }>(
    `insert into partition_run as run (topic, partition, unfinished) values ($1, $2, 1)
     on conflict (topic, partition) do update set unfinished = run.unfinished + 1, begun_at = now()
     returning unfinished`,
    [topic, partition],
  )
  return rows[0]?.unfinished ?? 1
}

/** All is well: the next one is the first again. */
export async function finishRun(pool: Pool, { topic, partition }: LogPartition): Promise<void> {
  await pool.query('update partition_run set unfinished = 0 where topic = $1 and partition = $2', [topic, partition])
}
