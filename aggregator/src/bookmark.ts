/**
 * How far the owner of a partition has read, and how it finds its place again: the position, the anchor that proves which log the
 * position is of, and the version of the progress that was written last. Each write takes what is known with it, and what it returns
 * is known from then on; so a store that is not where it was left is noticed by whatever is written next (minute-store.ts).
 *
 *   resume ──> read ──> begin (once) ──> announce, store ──> read ...
 *                └──> a gap: cross
 */
import assert from 'node:assert/strict'
import type { Logger } from '@minutely/lib/logging'
import type {
  LogAnchor,
  LogBatch,
  LogConsumer,
  LogGap,
  LogPartition,
  LogRead,
} from '@minutely/lib/sample-log/sample-log'
import type { Flush, KnownProgress, MinuteStore, ProgressVersion, Stored } from './minute-store.ts'
import { resume } from './resume-position.ts'
import type { SeriesSlots, SlotEntry } from './series-slots.ts'

export interface BookmarkDeps {
  readonly consumer: LogConsumer
  readonly minuteStore: MinuteStore
  readonly log: Logger
}

export class Bookmark {
  readonly #partition: LogPartition
  readonly #deps: BookmarkDeps
  /** Every record before this one is folded. */
  position = 0
  /** Of the last record that was read, folded or not. */
  #anchor: LogAnchor | undefined
  #version: ProgressVersion

  constructor(partition: LogPartition, deps: BookmarkDeps) {
    this.#partition = partition
    this.#deps = deps
  }

  /** The partition has no progress yet. */
  get isNew(): boolean {
    return this.#version === undefined
  }

  /** @returns up to where minutes are closed and stored, ms since the epoch. */
  async resume(signal: AbortSignal): Promise<number> {
    const stored = await resume(this.#partition, { ...this.#deps, signal })
    const { position, anchor, version, completeThroughMs } = stored
    this.position = position
    this.#anchor = anchor
    this.#version = version
    return completeThroughMs
  }

  /** From the position, which does not move. */
  async read(bounds: Pick<LogRead, 'bytesMax' | 'waitMs' | 'signal'>): Promise<LogBatch> {
    const { position } = this
    const batch = await this.#deps.consumer.read({
      partition: this.#partition,
      position,
      anchor: this.#anchor,
      ...bounds,
    })
    this.#anchor = batch.anchor ?? this.#anchor
    return batch
  }

  async begin(completeThroughMs: number): Promise<void> {
    const reached = { position: this.position, completeThroughMs, anchor: this.#anchor }
    this.#version = await this.#deps.minuteStore.beginProgress(this.#partition, reached)
  }

  async announce(added: readonly SlotEntry[], slots: SeriesSlots): Promise<void> {
    this.#version = await this.#deps.minuteStore.announce(added, this.#known, { slots })
  }

  async store(flush: Pick<Flush, 'minutes' | 'resumeAt' | 'closedThroughMs'>, slots: SeriesSlots): Promise<Stored> {
    assert(flush.resumeAt <= this.position, 'BUG: a position past what was read')
    const { minuteStore, consumer } = this.#deps
    const { commitWithin } = consumer
    const stored = await minuteStore.store({ ...this.#known, ...flush }, { slots, commitWithin })
    this.#version = stored.version
    return stored
  }

  /** The log may forget what is before it, and says which version of the progress has it. */
  commit(position: number): Promise<void> {
    return this.#deps.consumer.commit(this.#partition, position, this.#version)
  }

  /** Safe to repeat. */
  async cross(gap: LogGap): Promise<void> {
    this.#version = await this.#deps.minuteStore.recordGap(gap, this.#known)
    // What comes now is of another log.
    if (gap.reason === 'rewound') this.#anchor = undefined
  }

  get #known(): KnownProgress {
    return { partition: this.#partition, version: this.#version, anchor: this.#anchor }
  }
}
