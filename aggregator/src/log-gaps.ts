/**
 * Records that the log no longer has when they are wanted: written down in the table `log_gap`, counted, and logged as an
 * error. Never skipped in silence.
 *
 * reason retention   the oldest record kept is past the position: [fromPosition, toPosition) was dropped unread
 * reason rewound     the log ends before the position, or has not the anchor: the topic was deleted and made anew, or lost its end.
 *                    Positions count from the start again, so the stored one is set back; it would hide every record up to it
 */
import { inTransaction, type Pool } from '@minutely/lib/postgres/pool'
import type { LogGap } from '@minutely/lib/sample-log/sample-log'
import type { KnownProgress, ProgressVersion } from './minute-store.ts'
import { lockProgress, resetProgress, touchProgress } from './partition-progress.ts'

/**
 * @returns the version of the partition's progress after it.
 * @throws StoreMovedError when the progress is not the known one.
 */
export function recordGap(gap: LogGap, progress: KnownProgress, { pool }: { pool: Pool }): Promise<ProgressVersion> {
  const { partition, version } = progress
  return inTransaction(pool, async (client) => {
    await lockProgress(client, progress)
    await client.query(
      'insert into log_gap (topic, partition, from_position, to_position, reason) values ($1, $2, $3, $4, $5)',
      [partition.topic, partition.partition, gap.fromPosition, gap.toPosition, gap.reason],
    )
    // Either way the progress moves, or nobody would notice if this were lost with the database's last commits.
    const moved =
      gap.reason === 'retention'
        ? await touchProgress(client, progress)
        : await resetProgress(client, partition, gap.toPosition)
    return moved ?? version
  })
}
