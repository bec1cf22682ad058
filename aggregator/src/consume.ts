/**
 * The loop of one partition: read, fold, close, store, publish, commit. In that order: Postgres is the truth, and only
 * what it holds may be forgotten by the log or shown as final to a viewer.
 *
 * The position that is committed is the first record that an open minute still needs; a restart replays from there,
 * and the merge makes the replay harmless. Postgres keeps the same position beside the minutes; the lower of the two
 * counts, so a database that was restored or failed over a few seconds back gets its minutes again, also when that
 * happens while this runs (partition-progress.ts).
 * While the store fails nothing more is read, so memory stays within the windows' bound.
 */
import assert from 'node:assert/strict'
import type { Clock } from '@minutely/lib/clock'
import type { LiveChannel } from '@minutely/lib/live-channel'
import type { Logger } from '@minutely/lib/logging'
import type { Pool } from '@minutely/lib/postgres/pool'
import type { LogBatch, LogConsumer, LogPartition, LogRecord } from '@minutely/lib/sample-log/sample-log'
import { minuteMs } from '@minutely/schema/limits'
import { CodecError, decodeSampleRecord, type SampleSection } from '@minutely/schema/sample-codec'
import type { AggregatorConfig } from './config.ts'
import { publishMinutes } from './live-minutes.ts'
import type { AggregatorMetrics } from './metrics.ts'
import type { MinutePartitions } from './minute-partitions.ts'
import { MinuteWindows } from './minute-window.ts'
import type { OpenMinute } from './open-minute.ts'
import { type ProgressVersion, readProgress, StoreRewoundError } from './partition-progress.ts'
import type { SeriesDictionary } from './series-dictionary.ts'
import { SeriesSlots, type SlotEntry } from './series-slots.ts'
import { announceSeries, type Stored, storeMinutes } from './store-minutes.ts'
import { stubbornly } from './stubbornly.ts'
import { Watermark } from './watermark.ts'

/** Longest wait for a record: how closely an idle partition follows the wall clock. */
const waitMs = 1_000
const sweepEveryMs = 10 * 60_000

export interface ConsumeDeps {
  readonly consumer: LogConsumer
  readonly pool: Pool
  readonly dictionary: SeriesDictionary
  readonly partitions: MinutePartitions
  readonly live: LiveChannel
  readonly clock: Clock
  readonly log: Logger
  readonly metrics: AggregatorMetrics
}

export class PartitionConsumer {
  readonly partition: LogPartition
  slots = new SeriesSlots()
  windows: MinuteWindows
  /** Closed, and on their way to the store. */
  storing: readonly OpenMinute[] = []
  /** Closed and stored up to here, ms since the epoch; 0 until it is known. */
  completeThroughMs = 0
  readonly #config: AggregatorConfig
  readonly #deps: ConsumeDeps
  #watermark: Watermark
  /** Every record before this one is folded. */
  #position = 0
  #version: ProgressVersion
  #sweptAtMs = 0

  constructor(partition: LogPartition, config: AggregatorConfig, deps: ConsumeDeps) {
    this.partition = partition
    this.#config = config
    this.#deps = deps
    this.windows = this.#windowsFrom(0)
    this.#watermark = new Watermark(config, 0)
  }

  /** Runs until the signal aborts. What is open then is left to the log: the next owner replays it. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        await this.#runFromStored(signal)
      } catch (error) {
        if (!(error instanceof StoreRewoundError)) throw error
        this.#deps.log.error({ err: error, ...this.partition }, 'starting again from what the database has')
        this.#deps.dictionary.forget()
        this.#deps.partitions.forget()
      }
    }
  }

  async #runFromStored(signal: AbortSignal): Promise<void> {
    await this.#stubbornly('resuming', signal, () => this.#resume())
    while (!signal.aborted) {
      const read = await this.#stubbornly('reading the log', signal, () => this.#read(signal))
      if (read === undefined) return
      const { batch, askedAtMs } = read
      for (const record of batch.records) {
        this.#fold(record)
        this.#position = record.position + 1
        if (this.windows.overflowing && !(await this.#flush(signal))) return
      }
      this.#position = batch.nextPosition
      if (batch.records.length === 0 && batch.atEnd) this.#watermark.observeIdle(askedAtMs)
      if (!(await this.#flush(signal))) return
      this.#observe(batch)
    }
  }

  /** Stores and commits what is due, if anything is. @returns false when the signal aborted before that. */
  async #flush(signal: AbortSignal): Promise<boolean> {
    const added = this.slots.takeAdded()
    if (added.length > 0 && !(await this.#stubbornly('announcing series', signal, () => this.#announce(added)))) {
      return false
    }
    for (;;) {
      const closed = this.windows.closeUpTo(this.#watermark.closedThroughMs, this.#watermark.trustedMs)
      if (closed.length === 0 && this.windows.closedThroughMs <= this.completeThroughMs) return true
      if (!(await this.#storeClosed(closed, signal))) return false
    }
  }

  /** Postgres first, then viewers, then the log. @returns false when the signal aborted before that. */
  async #storeClosed(closed: readonly OpenMinute[], signal: AbortSignal): Promise<boolean> {
    this.storing = closed
    const stored = await this.#stubbornly('storing minutes', signal, () => this.#store(closed))
    if (stored === undefined) return false
    // In this order readers find a minute in memory, in the store, or in both, but never in neither (read-range.ts).
    this.completeThroughMs = this.windows.closedThroughMs
    this.storing = []
    this.#publish(closed.filter((minute) => !stored.merged.has(minute)))
    this.windows.recycle(closed)
    if (this.#deps.consumer.commitWithin !== undefined) return true
    return (await this.#stubbornly('committing', signal, () => this.#commit())) !== undefined
  }

  async #resume(): Promise<true> {
    const stored = await readProgress(this.#deps.pool, this.partition)
    this.#position = Math.min(await this.#deps.consumer.committed(this.partition), stored.position)
    this.#version = stored.version
    this.completeThroughMs = stored.completeThroughMs
    this.slots = new SeriesSlots()
    this.storing = []
    this.windows = this.#windowsFrom(this.completeThroughMs)
    this.#watermark = new Watermark(this.#config, this.completeThroughMs)
    this.#deps.log.info(
      { ...this.partition, position: this.#position, completeThrough: new Date(this.completeThroughMs).toISOString() },
      'reading a partition',
    )
    return true
  }

  #windowsFrom(closedThroughMs: number): MinuteWindows {
    const { windowBytesMax: bytesMax, lateHoldMs, latenessMs, lateMinutesMax } = this.#config
    // Those that lateness keeps open are no excess.
    const openMinutesMax = this.#config.openMinutesMax + Math.floor(latenessMs / minuteMs)
    return new MinuteWindows({ openMinutesMax, lateMinutesMax, bytesMax, lateHoldMs }, closedThroughMs)
  }

  /** askedAtMs: whatever is appended from this instant on may be missing from the answer, however late that comes. */
  async #read(signal: AbortSignal): Promise<{ batch: LogBatch; askedAtMs: number }> {
    const { consumer, clock } = this.#deps
    const askedAtMs = clock.nowMs()
    const { partition } = this
    const bytesMax = this.#config.readBytesMax
    return { batch: await consumer.read({ partition, position: this.#position, bytesMax, waitMs, signal }), askedAtMs }
  }

  #fold({ position, appendedAtMs, payload }: LogRecord): void {
    const { metrics } = this.#deps
    try {
      const { sections } = decodeSampleRecord(payload)
      let outcome = 'read'
      for (const section of sections) if (!this.#foldSection(section, position)) outcome = 'damaged'
      metrics.records.inc({ outcome })
    } catch (error) {
      if (!(error instanceof CodecError)) throw error
      metrics.records.inc({ outcome: 'unreadable' })
      this.#report(error, { position, bytes: payload.length })
    }
    this.#watermark.observe(appendedAtMs)
  }

  /** @returns false when the section is unreadable. Its neighbours are still good. */
  #foldSection(section: SampleSection, position: number): boolean {
    const { samples } = this.#deps.metrics
    try {
      const slots = this.slots.slotsOf(section)
      const counts = this.windows.fold(section, slots, { position, trustedMs: this.#watermark.trustedMs })
      samples.inc({ outcome: 'folded' }, counts.folded)
      samples.inc({ outcome: 'duplicate' }, counts.duplicate)
      samples.inc({ outcome: 'conflict' }, counts.conflict)
      return true
    } catch (error) {
      if (!(error instanceof CodecError)) throw error
      this.#report(error, { position, tenantId: section.tenantId, serverId: section.serverId })
      return false
    }
  }

  /** Nothing of ours writes such a thing: the storage below is damaged. */
  #report(error: CodecError, where: object): void {
    this.#deps.log.error({ err: error, ...this.partition, ...where }, 'a part of the log is unreadable; it is skipped')
  }

  async #store(minutes: readonly OpenMinute[]): Promise<Stored> {
    const { metrics, consumer } = this.#deps
    const resumeAt = this.windows.resumeAt(this.#position)
    assert(resumeAt <= this.#position, 'BUG: a position past what was read')
    const { partition } = this
    const { closedThroughMs } = this.windows
    const finish = metrics.storeSeconds.startTimer()
    const stored = await storeMinutes(
      { partition, minutes, resumeAt, closedThroughMs, version: this.#version },
      { ...this.#deps, slots: this.slots, commitWithin: consumer.commitWithin },
    )
    finish()
    this.#version = stored.version
    metrics.rows.inc({ path: 'copy' }, stored.rows - stored.mergedRows)
    metrics.rows.inc({ path: 'merge' }, stored.mergedRows)
    metrics.lateSamples.inc(stored.lateSamples)
    return stored
  }

  async #announce(added: readonly SlotEntry[]): Promise<true> {
    const progress = { partition: this.partition, version: this.#version }
    this.#version = await announceSeries(added, progress, { ...this.#deps, slots: this.slots })
    return true
  }

  /** A viewer's trouble is no reason not to commit. */
  #publish(minutes: readonly OpenMinute[]): void {
    try {
      publishMinutes(this, minutes, this.#deps.live)
    } catch (error) {
      this.#deps.log.warn({ err: error }, 'viewers were not told of a minute')
    }
  }

  async #commit(): Promise<true> {
    await this.#deps.consumer.commit(this.partition, this.windows.resumeAt(this.#position))
    return true
  }

  #observe(batch: LogBatch): void {
    const { metrics, clock } = this.#deps
    const { topic, partition } = this.partition
    const label = { topic, partition: String(partition) }
    metrics.openMinutes.set(label, this.windows.open.length)
    metrics.windowBytes.set(label, this.windows.bytes)
    metrics.activeSeries.set(label, this.slots.activeCount)
    metrics.completeThrough.set(label, this.completeThroughMs / 1000)
    const last = batch.records.at(-1)
    metrics.lagSeconds.set(label, last === undefined ? 0 : Math.max(0, clock.nowMs() - last.appendedAtMs) / 1000)
    if (clock.nowMs() - this.#sweptAtMs < sweepEveryMs) return
    this.#sweptAtMs = clock.nowMs()
    const open = this.windows.open
    this.slots.sweep(this.#watermark.trustedMs, (slot) => open.some((minute) => minute.rowOf(slot) >= 0))
  }

  #stubbornly<T>(doing: string, signal: AbortSignal, work: () => Promise<T>): Promise<T | undefined> {
    const onFailure = (error: Error, attempt: number): void => {
      this.#deps.metrics.storeFailures.inc()
      this.#deps.log.warn({ err: error, attempt, ...this.partition }, `${doing} failed; trying again`)
    }
    return stubbornly(work, { signal, onFailure })
  }
}
