/**
 * Records that the log no longer has when they are wanted: written down in the table `log_gap`, counted, and logged as an
 * error. Never skipped in silence.
 *
 * reason retention   the oldest record kept is past the position: [fromPosition, toPosition) was dropped unread
 * reason rewound     the log ends before the position: the topic was deleted and made anew, or lost its end. Positions
 *                    count from the start again, so the stored one is set back; it would hide every record up to it
 */
import { inTransaction, type Pool } from '@minutely/lib/postgres/pool'
import type { LogConsumer, LogGap, LogPartition } from '@minutely/lib/sample-log/sample-log'
import { lockProgress, type ProgressVersion, resetProgress } from './partition-progress.ts'

/**
 * @returns the version of the partition's progress after it.
 * @throws StoreRewoundError when the database has lost what was stored before.
 */
export function recordGap(
  gap: LogGap,
  progress: { readonly partition: LogPartition; readonly version: ProgressVersion },
  { pool }: { pool: Pool },
): Promise<ProgressVersion> {
  const { partition, version } = progress
  return inTransaction(pool, async (client) => {
    await lockProgress(client, partition, version)
    await client.query(
      'insert into log_gap (topic, partition, from_position, to_position, reason) values ($1, $2, $3, $4, $5)',
      [partition.topic, partition.partition, gap.fromPosition, gap.toPosition, gap.reason],
    )
    if (gap.reason === 'retention') return version
    return (await resetProgress(client, partition, gap.toPosition)) ?? version
  })
}

/** Long enough for the log to answer. */
const probeWaitMs = 1_000

/**
 * Where to read on: the lower of what was stored and what was committed; the oldest record without anything stored. A
 * log that was made anew has no commits, so that the lower of the two would hide it: then it is what was stored, which the first
 * read finds to be past the end.
 */
export async function resumePosition(
  partition: LogPartition,
  stored: number | undefined,
  { consumer }: { consumer: LogConsumer },
): Promise<number> {
  if (stored === undefined) return consumer.oldest(partition)
  const committed = await consumer.committed(partition)
  if (committed >= stored) return stored
  const probe = await consumer.read({ partition, position: stored, bytesMax: 1, waitMs: probeWaitMs })
  return probe.gap?.reason === 'rewound' ? stored : committed
}
