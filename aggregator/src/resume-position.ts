/** Where a partition is read on from, and what the log's own commit says of the store. */
import type { Logger } from '@minutely/lib/logging'
import type { LogConsumer, LogPartition } from '@minutely/lib/sample-log/sample-log'
import type { MinuteStore, StoredProgress } from './minute-store.ts'

export interface ResumeDeps {
  readonly consumer: LogConsumer
  readonly minuteStore: Pick<MinuteStore, 'readProgress' | 'voidRing' | 'forget'>
  readonly signal: AbortSignal
  readonly log: Logger
}

export interface Resumption extends StoredProgress {
  readonly position: number
}

/**
 * Where to read on: the lower of what was stored and what was committed; without anything stored the log's beginning, so that
 * what it no longer has is a gap: a database that has lost its progress may have lost those minutes with it. A log that was made anew
 * has no commits; that it is another one is found by the anchor, wherever it is read on.
 *
 * A commit says that everything before it is stored and was told to the ring, and its mark is the version of the progress that
 * was stored then. A store that is behind either has lost commits, and nobody may have noticed before: the owner of then is gone.
 * The ring may have what was lost, and then it would not take what is stored instead: it is void. And the commit is set back, so that
 * the next owner, too, tells the ring what is stored again, should this one end in between.
 *
 * @throws also when the signal aborts.
 */
export async function resume(
  partition: LogPartition,
  { consumer, minuteStore, signal, log }: ResumeDeps,
): Promise<Resumption> {
  // In this order: who commits has stored before.
  const committed = await consumer.committed(partition)
  const stored = await minuteStore.readProgress(partition, committed.mark)
  const position = stored.position ?? 0
  // Nobody waits for this any more, and the partition may have its next owner, in this process.
  signal.throwIfAborted()
  const resumption = { ...stored, position: Math.min(position, committed.position) }
  if (!stored.isBehind && committed.position <= position) return resumption
  if (stored.isBehind) {
    log.error(
      { ...partition, stored: stored.version, committed: committed.mark },
      'the database lost commits; they are replayed from the log',
    )
    await minuteStore.voidRing('the database lost commits')
    minuteStore.forget()
  }
  await consumer.commit(partition, resumption.position, stored.version)
  return resumption
}
