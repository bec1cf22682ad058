/** Where a partition is read on from. */
import type { LogConsumer, LogPartition } from '@minutely/lib/sample-log/sample-log'

/** Long enough for the log to answer. */
const probeWaitMs = 1_000

/**
 * Where to read on: the lower of what was stored and what was committed; without anything stored the log's beginning, so that
 * what it no longer has is a gap: a database that has lost its progress may have lost those minutes with it. A
 * log that was made anew has no commits, so that the lower of the two would hide it: then it is what was stored, which the first
 * read finds to be past the end.
 */
export async function resumePosition(
  partition: LogPartition,
  stored: number | undefined,
  { consumer, signal }: { consumer: LogConsumer; signal: AbortSignal },
): Promise<number> {
  if (stored === undefined) return 0
  const committed = await consumer.committed(partition)
  if (committed >= stored) return stored
  // Nobody waits for this any more, and the partition may have its next owner, in this process.
  signal.throwIfAborted()
  const probe = await consumer.read({ partition, position: stored, bytesMax: 1, waitMs: probeWaitMs, signal })
  return probe.gap?.reason === 'rewound' ? stored : committed
}
