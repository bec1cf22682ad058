/**
 * The port MinuteStore over a simulated database, statement by statement as store-minutes.ts, partition-progress.ts,
 * series-dictionary.ts and ring-state.ts do it, with the real pure parts: rollUp, mergeRow, RingPushBuilder. What it leaves
 * out: tenants, servers' first and last instants, hourly partitions and retention.
 */
import assert from 'node:assert/strict'
import { mergeRow, type StoredMinute } from '@minutely/aggregator/merge-minute'
import type { MinuteRows } from '@minutely/aggregator/minute-copy'
import {
  type Flush,
  type FlushDeps,
  type KnownProgress,
  type MinuteStore,
  type ProgressVersion,
  type Stored,
  type StoredProgress,
  StoreRewoundError,
} from '@minutely/aggregator/minute-store'
import type { ClosedMinute } from '@minutely/aggregator/open-minute'
import { type RingPush, RingPushBuilder } from '@minutely/aggregator/ring-push'
import { bitCount, rollUp } from '@minutely/aggregator/roll-up'
import type { SeriesSlots, SlotEntry } from '@minutely/aggregator/series-slots'
import { identityTag, type RingIdentity } from '@minutely/lib/recent-ring/recent-ring'
import type { LogGap, LogPartition, SampleLog } from '@minutely/lib/sample-log/sample-log'
import { secondsPerMinute } from '@minutely/schema/limits'
import { seriesIdentity } from '@minutely/schema/series-identity'
import type { SimDatabase, SimTransaction } from './sim-database.ts'
import { nameOf } from './sim-log-storage.ts'
import type { SimProcess } from './sim-process.ts'
import {
  gapPrefix,
  minuteKey,
  nextSeriesIdKey,
  type ProgressRow,
  progressKey,
  progressPrefix,
  type RingRow,
  ringKey,
  ringRow,
  type SeriesRow,
  seriesKeyOf,
} from './sim-tables.ts'

export interface SimStoreDeps {
  readonly database: SimDatabase
  readonly process: SimProcess
  /** Instead of the real one. */
  readonly merge?: typeof mergeRow | undefined
  /** All but the COMMIT of a flush is done. */
  readonly beforeCommit?: ((push: RingPush) => Promise<unknown>) | undefined
}

interface Prepared {
  readonly minute: ClosedMinute
  readonly rows: MinuteRows
  readonly tags: Uint32Array
}

const untouchedUs = 5 * 60_000_000

export class SimMinuteStore implements MinuteStore {
  readonly #database: SimDatabase
  readonly #process: SimProcess
  readonly #merge: typeof mergeRow
  readonly #beforeCommit: SimStoreDeps['beforeCommit']

  constructor({ database, process, merge = mergeRow, beforeCommit }: SimStoreDeps) {
    this.#beforeCommit = beforeCommit
    this.#database = database
    this.#process = process
    this.#merge = merge
  }

  readProgress(partition: LogPartition): Promise<StoredProgress> {
    return this.#database.single(this.#process, 'read progress', (transaction) => {
      const row = transaction.get<ProgressRow>(progressKey(partition))
      return {
        position: row?.position,
        completeThroughMs: row?.completeThroughMs ?? 0,
        version: row && String(row.versionUs),
      }
    })
  }

  beginProgress(
    partition: LogPartition,
    reached: { position: number; completeThroughMs: number },
  ): Promise<ProgressVersion> {
    return this.#database.transaction(this.#process, (transaction) => this.#save(transaction, partition, reached))
  }

  async announce(added: readonly SlotEntry[], progress: KnownProgress): Promise<ProgressVersion> {
    await this.#resolve(added)
    return this.#noticingRewinds(() =>
      this.#database.transaction(this.#process, async (transaction) => {
        await this.#lock(transaction, progress)
        return transaction.statement('touch progress', () => {
          const row = transaction.get<ProgressRow>(progressKey(progress.partition))
          return row && this.#write(transaction, progress.partition, row)
        })
      }),
    )
  }

  async store(flush: Flush, { slots }: FlushDeps): Promise<Stored> {
    const prepared: Prepared[] = []
    for (const minute of flush.minutes) prepared.push(await this.#prepare(minute, slots))
    return this.#noticingRewinds(() =>
      this.#database.transaction(this.#process, async (transaction) => {
        const stored = await this.#storeAll(transaction, flush, prepared)
        const { resumeAt: position, closedThroughMs: completeThroughMs } = flush
        const version = await this.#save(transaction, flush.partition, { position, completeThroughMs })
        await this.#beforeCommit?.(stored.ring)
        return { ...stored, version }
      }),
    )
  }

  async #storeAll(
    transaction: SimTransaction,
    flush: Flush,
    prepared: readonly Prepared[],
  ): Promise<Omit<Stored, 'version'>> {
    await this.#lock(transaction, flush)
    const push = new RingPushBuilder(await this.#ring(transaction), flush.closedThroughMs)
    const counts = { rows: 0, mergedRows: 0, lateSamples: 0 }
    const merged = new Set<ClosedMinute>()
    for (const { minute, rows, tags } of prepared) {
      counts.rows += minute.rowCount
      if (!minute.reopened && (await this.#copy(transaction, rows))) {
        push.addCopied(rows, tags)
        continue
      }
      if (merged.size === 0) push.identity = await this.#ring(transaction, 'locked')
      merged.add(minute)
      counts.mergedRows += minute.rowCount
      counts.lateSamples += await this.#mergeMinute(transaction, rows, minute)
      push.addMerged(rows, tags)
    }
    return { ...counts, merged, ring: push.build() }
  }

  recordGap(gap: LogGap, progress: KnownProgress): Promise<ProgressVersion> {
    const { partition, version } = progress
    return this.#database.transaction(this.#process, async (transaction) => {
      await this.#lock(transaction, progress)
      await transaction.statement('insert gap', () => {
        const { topic, partition: number } = partition
        const row = { ...gap, partition: { topic, partition: number } }
        transaction.put(`${gapPrefix}${nameOf(partition)} ${gap.reason} ${gap.fromPosition} ${gap.toPosition}`, row)
      })
      if (gap.reason === 'retention') return version
      return transaction.statement('reset progress', () => {
        const row = transaction.get<ProgressRow>(progressKey(partition))
        return row === undefined ? version : this.#write(transaction, partition, { ...row, position: gap.toPosition })
      })
    })
  }

  voidRing(reason: string, only?: RingIdentity): Promise<void> {
    return this.#database.single(this.#process, 'void ring', async (transaction) => {
      await transaction.lock(ringKey)
      const row = ringRow(transaction)
      if (only !== undefined && row.epoch !== only.epoch) return
      transaction.put(ringKey, { epoch: nextEpoch(row, this.#database), runId: undefined } satisfies RingRow)
      this.#database.world.note(this.#process.name, `makes the ring void: ${reason}`)
    })
  }

  forget(): void {}

  async dropBefore(): Promise<string[]> {
    return []
  }

  async retire(sampleLog: Pick<SampleLog, 'partitions'>): Promise<string[]> {
    const existing = new Set((await sampleLog.partitions()).map((partition) => progressKey(partition)))
    return this.#database.single(this.#process, 'retire', (transaction) => {
      const rows = this.#database.entries<ProgressRow>(progressPrefix)
      const gone = rows.filter(
        ([key, { versionUs }]) => versionUs < transaction.beganUs - untouchedUs && !existing.has(key),
      )
      for (const [key] of gone) transaction.put(key, undefined)
      return gone.map(([key]) => key.slice(progressPrefix.length))
    })
  }

  async #prepare(minute: ClosedMinute, slots: SeriesSlots): Promise<Prepared> {
    const entries = Array.from({ length: minute.rowCount }, (_, row) => slots.entry(minute.slots[row] as number))
    await this.#resolve(entries)
    for (const entry of entries) entry.lastMinuteMs = Math.max(entry.lastMinuteMs, minute.minuteMs)
    const seriesIds = Int32Array.from(entries, ({ seriesId }) => seriesId ?? 0)
    const tags = Uint32Array.from(entries, ({ tag }) => tag)
    const tenantIds = new Int32Array(minute.rowCount).fill(1)
    return { minute, rows: { minuteMs: minute.minuteMs, rolled: rollUp(minute), seriesIds, tenantIds }, tags }
  }

  /** A statement of its own, as in the dictionary. */
  async #resolve(entries: readonly SlotEntry[]): Promise<void> {
    const missing = entries.filter(({ seriesId }) => seriesId === undefined)
    if (missing.length === 0) return
    const found = await this.#database.single(this.#process, 'resolve series', async (transaction) => {
      const rows: SeriesRow[] = []
      await transaction.lock(nextSeriesIdKey)
      for (const identity of missing.map(({ server, series }) => seriesIdentity(server, series))) {
        const key = seriesKeyOf(identity)
        await transaction.lock(key)
        let row = transaction.get<SeriesRow>(key)
        if (row === undefined) {
          const seriesId = transaction.get<number>(nextSeriesIdKey) ?? 1
          row = { seriesId, tag: identityTag(identity) }
          transaction.put(nextSeriesIdKey, seriesId + 1)
          transaction.put(key, row)
        }
        rows.push(row)
      }
      return rows
    })
    for (const [index, entry] of missing.entries()) {
      const row = found[index]
      assert(row)
      entry.seriesId = row.seriesId
      entry.tag = row.tag
    }
  }

  #lock(transaction: SimTransaction, { partition, version }: KnownProgress): Promise<void> {
    return transaction.statement('lock progress', async () => {
      await transaction.lock(progressKey(partition))
      const row = transaction.get<ProgressRow>(progressKey(partition))
      const isCurrent = row === undefined ? version === undefined : row.versionUs >= Number(version ?? 0)
      if (!isCurrent) throw new StoreRewoundError(`what was stored of ${nameOf(partition)} at ${version} is gone`)
    })
  }

  #ring(transaction: SimTransaction, lock?: 'locked'): Promise<RingIdentity> {
    return transaction.statement('read ring state', async () => {
      if (lock !== undefined) await transaction.lock(ringKey)
      return ringRow(transaction)
    })
  }

  #copy(transaction: SimTransaction, { minuteMs, rolled, seriesIds }: MinuteRows): Promise<boolean> {
    return transaction.statement('copy', async () => {
      const saved = { locks: new Set(transaction.locks), writes: new Map(transaction.writes) }
      for (let row = 0; row < rolled.rowCount; row++) {
        const key = minuteKey(seriesIds[row] as number, minuteMs)
        await transaction.lock(key)
        if (transaction.get(key) !== undefined) {
          transaction.rollBackTo(saved)
          return false
        }
        transaction.put(key, rowAt(rolled, row))
      }
      return true
    })
  }

  /** Leaves in the rows what is stored then. @returns how many seconds were new. */
  #mergeMinute(transaction: SimTransaction, rows: MinuteRows, minute: ClosedMinute): Promise<number> {
    const { rolled, seriesIds, minuteMs } = rows
    return transaction.statement('merge', async () => {
      let newSeconds = 0
      for (let row = 0; row < rolled.rowCount; row++) {
        const key = minuteKey(seriesIds[row] as number, minuteMs)
        await transaction.lock(key)
        const existing = transaction.get<StoredMinute>(key)
        const values = minute.values.subarray(row * secondsPerMinute, (row + 1) * secondsPerMinute)
        const incoming = rowAt(rolled, row)
        const merged = existing === undefined ? incoming : this.#merge(existing, incoming, values)
        transaction.put(key, merged)
        newSeconds += countOf(merged) - (existing === undefined ? 0 : countOf(existing))
        rolled.seenLow[row] = merged.low
        rolled.seenHigh[row] = merged.high
        rolled.min[row] = merged.min
        rolled.max[row] = merged.max
        rolled.sum[row] = merged.sum
      }
      return minute.late ? newSeconds : 0
    })
  }

  #save(
    transaction: SimTransaction,
    partition: LogPartition,
    reached: { position: number; completeThroughMs: number },
  ): Promise<ProgressVersion> {
    return transaction.statement('save progress', async () => {
      await transaction.lock(progressKey(partition))
      const kept = transaction.get<ProgressRow>(progressKey(partition))
      return this.#write(transaction, partition, {
        position: Math.max(kept?.position ?? 0, reached.position),
        completeThroughMs: Math.max(kept?.completeThroughMs ?? 0, reached.completeThroughMs),
      })
    })
  }

  #write(
    transaction: SimTransaction,
    partition: LogPartition,
    row: Pick<ProgressRow, 'position' | 'completeThroughMs'>,
  ): ProgressVersion {
    const key = progressKey(partition)
    const keptUs = transaction.get<ProgressRow>(key)?.versionUs ?? 0
    const versionUs = Math.max(keptUs + 1, transaction.beganUs)
    const { position, completeThroughMs } = row
    transaction.put(key, { position, completeThroughMs, versionUs } satisfies ProgressRow)
    return String(versionUs)
  }

  async #noticingRewinds<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work()
    } catch (error) {
      if (error instanceof StoreRewoundError) await this.voidRing('the database lost commits')
      throw error
    }
  }
}

export function nextEpoch({ epoch }: RingRow, { world }: SimDatabase): string {
  return String(Math.max(Number(epoch) + 1, world.nowMs * 1_000))
}

function rowAt({ seenLow, seenHigh, min, max, sum }: MinuteRows['rolled'], row: number): StoredMinute {
  return {
    low: seenLow[row] as number,
    high: seenHigh[row] as number,
    min: min[row] as number,
    max: max[row] as number,
    sum: sum[row] as number,
  }
}

function countOf({ low, high }: StoredMinute): number {
  return bitCount(low) + bitCount(high)
}
