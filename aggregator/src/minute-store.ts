/**
 * The port of the minutes' store: all that the loop of a partition (consume.ts) asks of the truth. PostgresMinuteStore is
 * what runs; the simulation has one in memory that fails on purpose (loadtest/src/simulation). Both pass
 * minute-store-contract.ts. One instance a process, shared by its partitions.
 *
 * Promises: what store() was given is there as a whole, with the progress, or not at all, when its promise settles either way;
 * storing the same again is harmless. A minute only grows: seconds are added to its set, and the first value of a second stays.
 * Progress never goes back, but by recordGap of a log that began anew. Whoever writes must know the newest write of the
 * partition: else it was another owner's, or its own whose answer was lost (StoreMovedError), or the store has lost commits
 * (StoreRewoundError). So two owners of one partition take turns, each starting again from what the other has left. Nothing less
 * will do: a store that lost the writes of one and then got one of the other looks newer than both.
 */
import type { RingIdentity } from '@minutely/lib/recent-ring/recent-ring'
import type { LogAnchor, LogConsumer, LogGap, LogPartition, SampleLog } from '@minutely/lib/sample-log/sample-log'
import type { ClosedMinute } from './open-minute.ts'
import type { Retention } from './retention.ts'
import type { RingPush } from './ring-push.ts'
import type { SeriesSlots, SlotEntry } from './series-slots.ts'

/** Opaque; grows with every write of a partition's progress. Undefined: nothing was ever written. */
export type ProgressVersion = string | undefined

export interface StoredProgress {
  /**
   * The first record that is not, or not in full, in the minutes. Undefined: nothing was ever stored, or what was is
   * lost; then everything the log has is needed, whatever position was committed there.
   */
  readonly position: number | undefined
  readonly completeThroughMs: number
  /** Of the last record that was read when the progress was written. Undefined after `rewound`, until the next one is read. */
  readonly anchor: LogAnchor | undefined
  readonly version: ProgressVersion
  /** It is older than the version that was asked about, or gone: the store has lost commits. */
  readonly isBehind: boolean
}

/** A partition and what the last write of its progress returned. */
export interface KnownProgress {
  readonly partition: LogPartition
  readonly version: ProgressVersion
  /** Of the last record that was read. Without one, what is stored stays. */
  readonly anchor?: LogAnchor | undefined
}

/** The store is no longer where we left it. Not to be retried: start again from what it has. */
export class StoreMovedError extends Error {
  override readonly name: string = 'StoreMovedError'
}

/** It lost what was written before. Others of this process, and the ring, may know more than it does. */
export class StoreRewoundError extends StoreMovedError {
  override readonly name = 'StoreRewoundError'
}

export interface Flush extends KnownProgress {
  readonly minutes: readonly ClosedMinute[]
  /** The first record a restart must read after this flush. */
  readonly resumeAt: number
  readonly closedThroughMs: number
}

export interface Stored {
  readonly rows: number
  /** Rows that went through the merge. */
  readonly mergedRows: number
  /** Samples added to minutes that were closed before. */
  readonly lateSamples: number
  /** Minutes of which the store may have more than was given: some of their series had something of them before. */
  readonly merged: ReadonlySet<ClosedMinute>
  readonly version: ProgressVersion
  /** What the ring is to learn. */
  readonly ring: RingPush
}

export interface FlushDeps {
  /** Of the partition: names what the minutes' rows are, and keeps the ids they get. */
  readonly slots: SeriesSlots
  /** Commits the log's position in the same transaction, where log and store are one database. */
  readonly commitWithin?: LogConsumer['commitWithin'] | undefined
}

/** How far a partition is read before anything of it is stored. */
export interface FirstProgress extends Pick<StoredProgress, 'completeThroughMs'> {
  readonly position: number
  readonly anchor?: LogAnchor | undefined
}

export interface MinuteStore {
  /** `since`: a version that was current once. */
  readProgress(partition: LogPartition, since?: ProgressVersion): Promise<StoredProgress>
  /** The first row of a partition's progress, before its first series becomes known to readers. */
  beginProgress(partition: LogPartition, reached: FirstProgress): Promise<ProgressVersion>
  /** Makes new series and their servers known to readers. @throws StoreMovedError */
  announce(added: readonly SlotEntry[], progress: KnownProgress, deps: FlushDeps): Promise<ProgressVersion>
  /** Closed minutes and how far the partition has come, in one transaction. @throws StoreMovedError */
  store(flush: Flush, deps: FlushDeps): Promise<Stored>
  /** Writes down what the log has lost; after `rewound` the position is set back, and the anchor is gone. @throws StoreMovedError */
  recordGap(gap: LogGap, progress: KnownProgress): Promise<ProgressVersion>
  /** No ring may be read from now on, until one is adopted; with `only`, unless it is another one already. */
  voidRing(reason: string, only?: RingIdentity): Promise<void>
  /** What this process remembers of the store may be wrong: it was set back. */
  forget(): void
  /** @returns how many owners of the partition in a row were begun and have not finished, this one included. */
  beginRun(partition: LogPartition): Promise<number>
  /** Ended in order, or read all there is: the next owner is the first again. */
  finishRun(partition: LogPartition): Promise<void>
  /** @returns the names of the hours, and of partitions of sealed ones, that were dropped because nothing in them is to be kept. */
  dropExpired(retention: Retention, nowMs: number): Promise<string[]>
  /** Forgets the progress of partitions that the log no longer has. @returns them, as `topic/partition`. */
  retire(sampleLog: Pick<SampleLog, 'partitions'>): Promise<string[]>
}
