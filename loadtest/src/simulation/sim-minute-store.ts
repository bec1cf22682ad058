/**
 * The port MinuteStore over a simulated database, statement by statement as store-minutes.ts, partition-progress.ts,
 * series-dictionary.ts, hour-locks.ts and ring-state.ts do it, with the real pure parts: rollUp, mergeRow, RingPushBuilder. What it leaves
 * out: tenants, servers' first and last instants, hourly partitions; sealing and retention where the plan has none.
 */
import assert from 'node:assert/strict'
import { mergeRow } from '@minutely/aggregator/merge-minute'
import type { MinuteRows } from '@minutely/aggregator/minute-chunks'
import {
  type FirstProgress,
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
import type { Retention } from '@minutely/aggregator/retention'
import { type RingPush, RingPushBuilder } from '@minutely/aggregator/ring-push'
import { rollUp } from '@minutely/aggregator/roll-up'
import type { SeriesSlots, SlotEntry } from '@minutely/aggregator/series-slots'
import { identityTag, type RingIdentity } from '@minutely/lib/recent-ring/recent-ring'
import type { LogGap, LogPartition, SampleLog } from '@minutely/lib/sample-log/sample-log'
import { seriesIdentity } from '@minutely/schema/series-identity'
import type { SimDatabase, SimTransaction } from './sim-database.ts'
import { clientOf } from './sim-embedded-log.ts'
import { nameOf } from './sim-log-storage.ts'
import { copyRows, mergeRows } from './sim-minute-rows.ts'
import type { SimProcess } from './sim-process.ts'
import { lockProgress, resetProgress, saveProgress, touchProgress } from './sim-progress.ts'
import { beginRun, finishRun } from './sim-runs.ts'
import { dropBefore, shareSpans } from './sim-spans.ts'
import {
  gapPrefix,
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
import { spanOf } from './sim-tiers.ts'

export interface SimStoreDeps {
  readonly database: SimDatabase
  readonly process: SimProcess
  /** Instead of the real one. */
  readonly merge?: typeof mergeRow | undefined
  /** Ids of new series are not looked for again in the transaction that relies on them. */
  readonly trustsIds?: boolean | undefined
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
  readonly #trustsIds: boolean
  readonly #beforeCommit: SimStoreDeps['beforeCommit']

  constructor({ database, process, merge = mergeRow, trustsIds = false, beforeCommit }: SimStoreDeps) {
    this.#trustsIds = trustsIds
    this.#beforeCommit = beforeCommit
    this.#database = database
    this.#process = process
    this.#merge = merge
  }

  readProgress(partition: LogPartition, since?: ProgressVersion): Promise<StoredProgress> {
    return this.#database.single(this.#process, 'read progress', (transaction) => {
      const row = transaction.get<ProgressRow>(progressKey(partition))
      return {
        position: row?.position,
        completeThroughMs: row?.completeThroughMs ?? 0,
        anchor: row?.anchor,
        version: row && String(row.versionUs),
        isBehind: since !== undefined && (row?.versionUs ?? 0) < Number(since),
      }
    })
  }

  beginProgress(partition: LogPartition, { anchor, ...reached }: FirstProgress): Promise<ProgressVersion> {
    return this.#database.transaction(this.#process, (transaction) =>
      saveProgress(transaction, partition, { ...reached, anchor }),
    )
  }

  beginRun(partition: LogPartition): Promise<number> {
    return beginRun(partition, { database: this.#database, process: this.#process })
  }

  finishRun(partition: LogPartition): Promise<void> {
    return finishRun(partition, { database: this.#database, process: this.#process })
  }

  async announce(added: readonly SlotEntry[], progress: KnownProgress): Promise<ProgressVersion> {
    await this.#resolve(added)
    return this.#noticingRewinds(() =>
      this.#database.transaction(this.#process, async (transaction) => {
        await lockProgress(transaction, progress)
        await this.#assertKept(transaction, added)
        return touchProgress(transaction, progress)
      }),
    )
  }

  async store(flush: Flush, { slots, commitWithin }: FlushDeps): Promise<Stored> {
    const prepared: Prepared[] = []
    const fresh = new Set<SlotEntry>()
    for (const minute of flush.minutes) prepared.push(await this.#prepare(minute, fresh, slots))
    return this.#noticingRewinds(() =>
      this.#database.transaction(this.#process, async (transaction) => {
        await lockProgress(transaction, flush)
        const sealed = await shareSpans(transaction, prepared, this.#database)
        await this.#assertKept(transaction, [...fresh])
        const stored = await this.#storeAll(transaction, flush, { prepared, sealed })
        const { resumeAt: position, closedThroughMs: completeThroughMs, anchor } = flush
        const version = await saveProgress(transaction, flush.partition, { position, completeThroughMs, anchor })
        if (commitWithin !== undefined) await commitWithin(clientOf(transaction), flush.partition, position)
        await this.#beforeCommit?.(stored.ring)
        return { ...stored, version }
      }),
    )
  }

  async #storeAll(
    transaction: SimTransaction,
    flush: Flush,
    { prepared, sealed }: { readonly prepared: readonly Prepared[]; readonly sealed: ReadonlySet<number> },
  ): Promise<Omit<Stored, 'version'>> {
    const push = new RingPushBuilder(await this.#ring(transaction), flush.closedThroughMs)
    const counts = { rows: 0, mergedRows: 0, lateSamples: 0 }
    const merged = new Set<ClosedMinute>()
    for (const { minute, rows, tags } of prepared) {
      counts.rows += minute.rowCount
      const tiers = sealed.has(spanOf(rows.minuteMs, this.#database.tiers)) ? this.#database.tiers : undefined
      if (!minute.reopened && tiers === undefined && (await copyRows(transaction, rows))) {
        push.addCopied(rows, tags)
        continue
      }
      if (merged.size === 0) push.identity = await this.#ring(transaction, 'locked')
      merged.add(minute)
      counts.mergedRows += minute.rowCount
      const newSeconds = await mergeRows(transaction, rows, { minute, merge: this.#merge, tiers })
      if (minute.late) counts.lateSamples += newSeconds
      push.addMerged(rows, tags)
    }
    return { ...counts, merged, ring: push.build() }
  }

  recordGap(gap: LogGap, progress: KnownProgress): Promise<ProgressVersion> {
    const { partition, version } = progress
    return this.#database.transaction(this.#process, async (transaction) => {
      await lockProgress(transaction, progress)
      await transaction.statement('insert gap', () => {
        const { topic, partition: number } = partition
        const row = { ...gap, partition: { topic, partition: number } }
        transaction.put(`${gapPrefix}${nameOf(partition)} ${gap.reason} ${gap.fromPosition} ${gap.toPosition}`, row)
      })
      const moved =
        gap.reason === 'retention'
          ? await touchProgress(transaction, progress)
          : await resetProgress(transaction, partition, gap.toPosition)
      return moved ?? version
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

  dropExpired({ minuteHoursMax }: Retention, nowMs: number): Promise<string[]> {
    return this.#database.world.faults.sealing
      ? dropBefore(nowMs - minuteHoursMax * 3_600_000, { database: this.#database, process: this.#process })
      : Promise.resolve([])
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

  #assertKept(transaction: SimTransaction, entries: readonly SlotEntry[]): Promise<void> {
    if (entries.length === 0 || this.#trustsIds) return Promise.resolve()
    return transaction.statement('look for new series', () => {
      const isKept = ({ server, series, seriesId }: SlotEntry): boolean =>
        transaction.get<SeriesRow>(seriesKeyOf(seriesIdentity(server, series)))?.seriesId === seriesId
      if (!entries.every(isKept)) throw new StoreRewoundError('new series have lost their ids')
    })
  }

  async #prepare(minute: ClosedMinute, fresh: Set<SlotEntry>, slots: SeriesSlots): Promise<Prepared> {
    const entries = Array.from({ length: minute.rowCount }, (_, row) => slots.entry(minute.slots[row] as number))
    for (const entry of entries) if (entry.seriesId === undefined) fresh.add(entry)
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

  #ring(transaction: SimTransaction, lock?: 'locked'): Promise<RingIdentity> {
    return transaction.statement('read ring state', async () => {
      if (lock !== undefined) await transaction.lock(ringKey)
      return ringRow(transaction)
    })
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
