/**
 * The loop of one partition: read, fold, close, store, publish, commit. In that order: Postgres is the truth, and only
 * what it holds may be forgotten by the log or shown as final to a viewer.
 *
 * The position that is committed is the first record that an open minute still needs; a restart replays from there,
 * and the merge makes the replay harmless. Postgres keeps the same position beside the minutes; the lower of the two
 * counts, so a database that was restored or failed over a few seconds back gets its minutes again.
 * While the store fails nothing more is read, so memory stays within the windows' bound.
 */
import assert from 'node:assert/strict'
import type { Clock } from '@minutely/lib/clock'
import type { LiveChannel } from '@minutely/lib/live-channel'
import type { Logger } from '@minutely/lib/logging'
import type { Pool } from '@minutely/lib/postgres/pool'
import type { LogBatch, LogConsumer, LogPartition } from '@minutely/lib/sample-log/sample-log'
import { CodecError, decodeSampleRecord } from '@minutely/schema/sample-codec'
import pRetry from 'p-retry'
import type { AggregatorConfig } from './config.ts'
import { publishMinutes } from './live-minutes.ts'
import type { AggregatorMetrics } from './metrics.ts'
import type { MinutePartitions } from './minute-partitions.ts'
import { MinuteWindows, type OpenMinute } from './minute-window.ts'
import type { SeriesDictionary } from './series-dictionary.ts'
import { SeriesSlots, type SlotEntry } from './series-slots.ts'
import { announceSeries, storeMinutes } from './store-minutes.ts'
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
  readonly slots = new SeriesSlots()
  windows: MinuteWindows
  /** Closed and stored up to here, ms since the epoch; 0 until it is known. */
  completeThroughMs = 0
  readonly #config: AggregatorConfig
  readonly #deps: ConsumeDeps
  #watermark: Watermark
  #position = 0
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
    await this.#stubbornly('resuming', signal, () => this.#resume())
    while (!signal.aborted) {
      const batch = await this.#stubbornly('reading the log', signal, () => this.#read(signal))
      if (batch === undefined || signal.aborted) return
      this.#fold(batch)
      this.#position = batch.nextPosition
      const added = this.slots.takeAdded()
      if (added.length > 0) await this.#stubbornly('announcing series', signal, () => this.#announce(added))
      const closed = this.windows.closeUpTo(this.#watermark.closedThroughMs, this.#watermark.trustedMs)
      if (closed.length > 0 || this.windows.closedThroughMs > this.completeThroughMs) {
        const stored = await this.#stubbornly('storing minutes', signal, () => this.#store(closed))
        if (stored === undefined) return
        this.completeThroughMs = this.windows.closedThroughMs
        publishMinutes(this, closed, this.#deps.live)
        if (this.#deps.consumer.commitWithin === undefined) {
          await this.#stubbornly('committing', signal, () => this.#commit())
        }
      }
      this.#observe(batch)
    }
  }

  async #resume(): Promise<true> {
    const { rows } = await this.#deps.pool.query<{ position: number; complete_ms: number }>(
      `select position::float8, (extract(epoch from complete_through_at) * 1000)::float8 as complete_ms
       from partition_progress where topic = $1 and partition = $2`,
      [this.partition.topic, this.partition.partition],
    )
    const [stored] = rows
    const committed = await this.#deps.consumer.committed(this.partition)
    this.#position = Math.min(committed, stored?.position ?? committed)
    this.completeThroughMs = stored?.complete_ms ?? 0
    this.windows = this.#windowsFrom(this.completeThroughMs)
    this.#watermark = new Watermark(this.#config, this.completeThroughMs)
    this.#deps.log.info(
      { ...this.partition, position: this.#position, completeThrough: new Date(this.completeThroughMs).toISOString() },
      'reading a partition',
    )
    return true
  }

  #windowsFrom(closedThroughMs: number): MinuteWindows {
    const { openMinutesMax, windowBytesMax: bytesMax, lateHoldMs } = this.#config
    return new MinuteWindows({ openMinutesMax, bytesMax, lateHoldMs }, closedThroughMs)
  }

  #read(signal: AbortSignal): Promise<LogBatch> {
    const { partition, readBytesMax: bytesMax } = { partition: this.partition, ...this.#config }
    return this.#deps.consumer.read({ partition, position: this.#position, bytesMax, waitMs, signal })
  }

  #fold(batch: LogBatch): void {
    const { metrics, log, clock } = this.#deps
    const totals = { folded: 0, duplicate: 0, conflict: 0 }
    for (const { position, appendedAtMs, payload } of batch.records) {
      try {
        const record = decodeSampleRecord(payload)
        for (const section of record.sections) {
          const slots = this.slots.slotsOf(section)
          const counts = this.windows.fold(section, slots, { position, trustedMs: this.#watermark.trustedMs })
          totals.folded += counts.folded
          totals.duplicate += counts.duplicate
          totals.conflict += counts.conflict
        }
        metrics.records.inc({ outcome: 'read' })
      } catch (error) {
        // Nothing of ours writes such a record: the storage below is damaged. The others are still good.
        if (!(error instanceof CodecError)) throw error
        metrics.records.inc({ outcome: 'unreadable' })
        log.error(
          { err: error, ...this.partition, position, bytes: payload.length },
          'a log record is unreadable; it is skipped',
        )
      }
      this.#watermark.observe(appendedAtMs)
    }
    if (batch.records.length === 0 && batch.atEnd) this.#watermark.observeIdle(clock.nowMs())
    metrics.samples.inc({ outcome: 'folded' }, totals.folded)
    metrics.samples.inc({ outcome: 'duplicate' }, totals.duplicate)
    metrics.samples.inc({ outcome: 'conflict' }, totals.conflict)
  }

  async #store(minutes: readonly OpenMinute[]): Promise<true> {
    const { metrics, consumer } = this.#deps
    const { partition } = this
    const resumeAt = this.windows.resumeAt(this.#position)
    assert(resumeAt <= this.#position, 'BUG: a position past what was read')
    const finish = metrics.storeSeconds.startTimer()
    const flush = { partition, minutes, resumeAt, closedThroughMs: this.windows.closedThroughMs }
    const counts = await storeMinutes(flush, { ...this.#deps, slots: this.slots, commitWithin: consumer.commitWithin })
    finish()
    metrics.rows.inc({ path: 'copy' }, counts.rows - counts.mergedRows)
    metrics.rows.inc({ path: 'merge' }, counts.mergedRows)
    metrics.lateSamples.inc(counts.lateSamples)
    return true
  }

  async #announce(added: readonly SlotEntry[]): Promise<true> {
    await announceSeries(added, { ...this.#deps, slots: this.slots })
    return true
  }

  async #commit(): Promise<true> {
    await this.#deps.consumer.commit(this.partition, this.windows.resumeAt(this.#position))
    return true
  }

  #observe(batch: LogBatch): void {
    const { metrics, clock } = this.#deps
    const label = { partition: String(this.partition.partition) }
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

  /** Until it succeeds (full jitter, 100 ms to 10 s) or the signal aborts: then undefined. */
  async #stubbornly<T>(doing: string, signal: AbortSignal, work: () => Promise<T>): Promise<T | undefined> {
    try {
      return await pRetry(work, {
        retries: Number.POSITIVE_INFINITY,
        minTimeout: 100,
        maxTimeout: 10_000,
        randomize: true,
        signal,
        onFailedAttempt: ({ error, attemptNumber }) => {
          if (error instanceof assert.AssertionError) throw error
          this.#deps.metrics.storeFailures.inc()
          this.#deps.log.warn({ err: error, attemptNumber, ...this.partition }, `${doing} failed; trying again`)
        },
      })
    } catch (error) {
      if (signal.aborted) return undefined
      throw error
    }
  }
}
