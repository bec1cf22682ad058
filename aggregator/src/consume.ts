/**
 * The loop of one partition: read, fold, close, store, push, publish, commit. In that order: Postgres is the truth, and
 * only what it holds may be forgotten by the log, kept in the ring, or shown as final to a viewer.
 *
 * The position that is committed is the first record that an open minute still needs; a restart replays from there,
 * and the merge makes the replay harmless. Postgres keeps the same position beside the minutes (bookmark.ts); the lower of the two
 * counts, so a database that was restored or failed over a few seconds back gets its minutes again, also when that
 * happens while this runs (minute-store.ts). While the store fails nothing is read: memory stays bounded.
 *
 * What cannot be read, or would end its reader (crash-guard.ts), is set aside before the position moves past it; what the log
 * dropped unread is a gap (log-gaps.ts).
 */
import type { Clock } from '@minutely/lib/clock'
import type { IngestCounter } from '@minutely/lib/ingest-report/ingest-report'
import type { LiveWriter } from '@minutely/lib/live/live-channel'
import { type Logger, warnBriefly } from '@minutely/lib/logging'
import type { RecentRing } from '@minutely/lib/recent-ring/recent-ring'
import type {
  DeadLetters,
  LogBatch,
  LogConsumer,
  LogGap,
  LogPartition,
  LogRecord,
} from '@minutely/lib/sample-log/sample-log'
import { Bookmark } from './bookmark.ts'
import type { AggregatorConfig } from './config.ts'
import { CrashGuard } from './crash-guard.ts'
import { type Damage, foldRecord } from './fold-record.ts'
import type { FoldTrial } from './fold-trial.ts'
import { publishMinutes } from './live-minutes.ts'
import type { AggregatorMetrics } from './metrics.ts'
import { type MinuteStore, type Stored, StoreMovedError, StoreRewoundError } from './minute-store.ts'
import { MinuteWindows } from './minute-window.ts'
import type { OpenMinute } from './open-minute.ts'
import { PartitionGauges } from './partition-gauges.ts'
import { pushMinutes } from './push-minutes.ts'
import { SeriesSlots } from './series-slots.ts'
import { SetAside } from './set-aside.ts'
import { stubbornly } from './stubbornly.ts'
import { Watermark } from './watermark.ts'
import { type WindowBudget, windowBounds } from './window-budget.ts'

/** Longest wait for a record: how closely an idle partition follows the wall clock. */
const waitMs = 1_000
const sweepEveryMs = 10 * 60_000

export interface ConsumeDeps {
  readonly consumer: LogConsumer
  readonly deadLetters: DeadLetters
  readonly budget: WindowBudget
  readonly trial: Pick<FoldTrial, 'fold'>
  readonly ring: RecentRing
  readonly minuteStore: MinuteStore
  readonly live: LiveWriter
  readonly clock: Clock
  /** In [0, 1), for the delays between attempts. */
  readonly random: () => number
  readonly log: Logger
  readonly metrics: AggregatorMetrics
  readonly ingest?: IngestCounter
}

export class PartitionConsumer {
  readonly partition: LogPartition
  slots = new SeriesSlots()
  windows: MinuteWindows
  /** Closed, on their way to the store. */
  storing: readonly OpenMinute[] = []
  /** Closed and stored up to here, ms since the epoch; 0 until it is known. */
  completeThroughMs = 0
  /** The log has been read to about its end since this began. */
  caughtUp = false
  readonly #config: AggregatorConfig
  readonly #deps: ConsumeDeps
  readonly #gauges: PartitionGauges
  readonly #bookmark: Bookmark
  #watermark: Watermark
  #sweptAtMs = 0
  #setAside: SetAside
  readonly #guard: CrashGuard

  constructor(partition: LogPartition, config: AggregatorConfig, deps: ConsumeDeps) {
    this.partition = partition
    this.#config = config
    this.#deps = deps
    this.#bookmark = new Bookmark(partition, deps)
    this.#gauges = new PartitionGauges(partition, deps)
    this.#guard = new CrashGuard(partition, deps)
    this.#setAside = new SetAside(deps)
    this.windows = new MinuteWindows(windowBounds(config, deps.budget), 0)
    this.#watermark = new Watermark(config, 0)
  }

  /** Runs until the signal aborts. What is open then is left to the log: the next owner replays it. */
  async run(signal: AbortSignal): Promise<void> {
    await this.#until('beginning a run', signal, () => this.#guard.begin())
    while (!signal.aborted) {
      try {
        await this.#runFromStored(signal)
      } catch (error) {
        if (!(error instanceof StoreMovedError)) throw error
        await this.#forget(error, signal)
      }
    }
    await this.#guard.end()
    this.#deps.budget.forget(this)
    this.#gauges.remove()
  }

  async #forget(error: StoreMovedError, signal: AbortSignal): Promise<void> {
    const { minuteStore, log } = this.#deps
    const isLoss = error instanceof StoreRewoundError
    log[isLoss ? 'error' : 'warn']({ err: error, ...this.partition }, 'starting again from what is stored')
    // It may hold what the database has lost.
    if (isLoss) await this.#until('voiding the ring', signal, () => minuteStore.voidRing('the database lost commits'))
    minuteStore.forget()
  }

  async #runFromStored(signal: AbortSignal): Promise<void> {
    await this.#until('resuming', signal, () => this.#resume(signal))
    while (!signal.aborted) {
      const read = await this.#stubbornly('reading the log', signal, () => this.#read(signal))
      if (read === undefined) return
      const { batch, askedAtMs } = read
      if (batch.gap !== undefined && !(await this.#crossGap(batch.gap, signal))) return
      if (this.#bookmark.isNew && !(await this.#begin(batch, { askedAtMs, signal }))) return
      const fatal = await this.#guard.sift(batch.records, signal)
      if (signal.aborted) return
      for (const record of batch.records) {
        this.#fold(record, fatal.get(record.position))
        this.#bookmark.position = record.position + 1
        this.#deps.budget.report(this, this.windows.bytesHeld)
        if (this.windows.overflowing && !(await this.#flush(signal))) return
      }
      this.#bookmark.position = batch.nextPosition
      if (batch.records.length === 0 && batch.atEnd) this.#watermark.observeIdle(askedAtMs)
      if (!(await this.#flush(signal))) return
      if (batch.atEnd && !(await this.#until('finishing', signal, () => this.#guard.caughtUp()))) return
      this.#observe(batch)
    }
  }

  /** Stores and commits what is due, if anything is. @returns false when the signal aborted before that. */
  async #flush(signal: AbortSignal): Promise<boolean> {
    if (!(await this.#until('setting aside', signal, () => this.#setAside.flush()))) return false
    const added = this.slots.takeAdded()
    if (
      added.length > 0 &&
      !(await this.#until('announcing series', signal, () => this.#bookmark.announce(added, this.slots)))
    )
      return false
    for (;;) {
      const closed = this.windows.closeUpTo(this.#watermark.closedThroughMs, this.#watermark.trustedMs)
      if (closed.length === 0 && this.windows.closedThroughMs <= this.completeThroughMs) return true
      if (!(await this.#storeClosed(closed, signal))) return false
    }
  }

  /** @returns false when the signal aborted before that. */
  async #crossGap(gap: LogGap, signal: AbortSignal): Promise<boolean> {
    const { metrics, log } = this.#deps
    log.error({ ...this.partition, ...gap }, 'the log no longer has records that were not read; they are lost')
    metrics.logGaps.inc({ reason: gap.reason })
    // Positions behind it are another log's: none of the open minutes may refer to those before.
    const open = gap.reason === 'rewound' ? this.windows.giveAll() : []
    if (open.length > 0 && !(await this.#storeClosed(open, signal))) return false
    return this.#until('recording a gap', signal, () => this.#bookmark.cross(gap))
  }

  /** Postgres first, then the ring, viewers, and the log. @returns false when the signal aborted before that. */
  async #storeClosed(closed: readonly OpenMinute[], signal: AbortSignal): Promise<boolean> {
    this.storing = closed
    const stored = await this.#stubbornly('storing minutes', signal, () => this.#store(closed))
    if (stored === undefined) return false
    if (!(await this.#until('pushing to the ring', signal, () => pushMinutes(stored.ring, this.#deps)))) return false
    // In this order readers find a minute in memory, in the store, or in both, but never in neither (read-range.ts).
    this.completeThroughMs = this.windows.closedThroughMs
    this.storing = []
    publishMinutes(
      this,
      closed.filter((minute) => !stored.merged.has(minute)),
      this.#deps,
    )
    this.windows.recycle(closed)
    this.#deps.budget.report(this, this.windows.bytesHeld)
    if (this.#deps.consumer.commitWithin !== undefined) return true
    const resumeAt = this.windows.resumeAt(this.#bookmark.position)
    return this.#until('committing', signal, () => this.#bookmark.commit(resumeAt))
  }

  async #resume(signal: AbortSignal): Promise<void> {
    this.completeThroughMs = await this.#bookmark.resume(signal)
    this.slots = new SeriesSlots()
    this.storing = []
    this.#setAside = new SetAside(this.#deps)
    this.windows = new MinuteWindows(windowBounds(this.#config, this.#deps.budget), this.completeThroughMs)
    this.#watermark = new Watermark(this.#config, this.completeThroughMs)
    const { position } = this.#bookmark
    const completeThrough = new Date(this.completeThroughMs).toISOString()
    this.#deps.log.debug({ ...this.partition, position, completeThrough }, 'reading a partition')
  }

  /** askedAtMs: whatever is appended from this instant on may be missing from the answer, however late that comes. */
  async #read(signal: AbortSignal): Promise<{ batch: LogBatch; askedAtMs: number }> {
    const askedAtMs = this.#deps.clock.nowMs()
    const batch = await this.#bookmark.read({ bytesMax: this.#config.readBytesMax, waitMs, signal })
    return { batch, askedAtMs }
  }

  #fold(record: LogRecord, fatal: Damage | undefined): void {
    const { slots, windows } = this
    const target = { slots, windows, trustedMs: this.#watermark.trustedMs }
    const damage = fatal ?? foldRecord(record, target, this.#deps)
    if (damage !== undefined) this.#setAside.add({ ...this.partition, ...record, ...damage })
    this.#watermark.observe(record.appendedAtMs)
  }

  async #store(minutes: readonly OpenMinute[]): Promise<Stored> {
    const { metrics } = this.#deps
    const resumeAt = this.windows.resumeAt(this.#bookmark.position)
    const { closedThroughMs } = this.windows
    const finish = metrics.storeSeconds.startTimer()
    const stored = await this.#bookmark.store({ minutes, resumeAt, closedThroughMs }, this.slots)
    finish()
    this.#guard.storedPosition = resumeAt
    metrics.rows.inc({ path: 'copy' }, stored.rows - stored.mergedRows)
    metrics.rows.inc({ path: 'merge' }, stored.mergedRows)
    metrics.lateSamples.inc(stored.lateSamples)
    // Also 0, as long as anything comes; a partition that only follows the clock has nothing to report.
    if (minutes.length > 0) this.#deps.ingest?.add('samples', { outcome: 'late' }, stored.lateSamples)
    return stored
  }

  /** Before anything is folded, so that it is true of a partition that was not read for a while. */
  async #begin(batch: LogBatch, { askedAtMs, signal }: { askedAtMs: number; signal: AbortSignal }): Promise<boolean> {
    const [first] = batch.records
    if (first !== undefined) this.#watermark.observe(first.appendedAtMs)
    else if (batch.atEnd) this.#watermark.observeIdle(askedAtMs)
    else return true
    return this.#until('beginning', signal, () => this.#bookmark.begin(this.#watermark.closedThroughMs))
  }

  #observe(batch: LogBatch): void {
    const { clock } = this.#deps
    const { windows, slots, completeThroughMs } = this
    const last = batch.records.at(-1)
    const lagMs = last === undefined ? 0 : Math.max(0, clock.nowMs() - last.appendedAtMs)
    this.#gauges.set({
      openMinutes: windows.open.length,
      windowBytes: windows.bytesHeld,
      activeSeries: slots.activeCount,
      completeThroughMs,
      lagMs,
    })
    if (batch.atEnd || (last !== undefined && lagMs < this.#config.readyLagMs)) this.caughtUp = true
    if (clock.nowMs() - this.#sweptAtMs < sweepEveryMs) return
    this.#sweptAtMs = clock.nowMs()
    const { open } = windows
    slots.sweep(this.#watermark.trustedMs, (slot) => open.some((minute) => minute.rowOf(slot) >= 0))
  }

  /** @returns false when the signal aborted before it succeeded. */
  async #until(doing: string, signal: AbortSignal, work: () => Promise<unknown>): Promise<boolean> {
    return (await this.#stubbornly(doing, signal, () => work().then(() => true))) === true
  }

  #stubbornly<T>(doing: string, signal: AbortSignal, work: () => Promise<T>): Promise<T | undefined> {
    const { clock, random, metrics, log } = this.#deps
    const onFailure = (error: Error, attempt: number): void => {
      metrics.storeFailures.inc()
      warnBriefly(log, error, { message: `${doing} failed; trying again`, attempt, ...this.partition })
    }
    return stubbornly(work, { signal, clock, random, onFailure })
  }
}
