/** Where a partition is read on from, and what the log's own commit says of it. */
import type { LogConsumer, LogPartition } from '@minutely/lib/sample-log/sample-log'

/** Long enough for the log to answer. */
const probeWaitMs = 1_000

/**
 * Where to read on: the lower of what was stored and what was committed; without anything stored the log's beginning, so that
 * what it no longer has is a gap: a database that has lost its progress may have lost those minutes with it. A
 * log that was made anew has no commits, so that the lower of the two would hide it: then it is what was stored, which the first
 * read finds to be past the end.
 *
 * A commit says that everything before it is stored and was told to the ring. Of what a database has lost the first is no longer
 * true, and after the replay the second may not be: an owner that ends between storing it again and telling the ring must have a
 * successor that does both again. So a commit that is past what is stored is set back to it.
 */
export async function resumePosition(
  partition: LogPartition,
  stored: number | undefined,
  { consumer, signal }: { consumer: LogConsumer; signal: AbortSignal },
): Promise<number> {
  const known = stored ?? 0
  const committed = await consumer.committed(partition)
  if (committed === known) return known
  // Nobody waits for this any more, and the partition may have its next owner, in this process.
  signal.throwIfAborted()
  if (committed > known) {
    await consumer.commit(partition, known)
    return known
  }
  const probe = await consumer.read({ partition, position: known, bytesMax: 1, waitMs: probeWaitMs, signal })
  return probe.gap?.reason === 'rewound' ? known : committed
}
