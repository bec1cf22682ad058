/**
 * Batches the collector has not acknowledged, oldest to newest, within bounds of bytes and age. A batch leaves by `forget`
 * (acknowledged, or refused for good) or by being dropped when a bound is passed: the oldest first, because what is newest
 * is what somebody is looking at.
 *
 *                   disk takes it       memory is full                      leased
 *     keep ──> memory ──────> memory + spool ──────> spool only ──────> memory + spool ──> forget
 *                │ disk does not                    (also: found at start)
 *                └──────────> memory only ──────> dropped, queue-bytes
 *
 * With a spool (spool.ts) memory is a cache of it, and ages are bounded by the spool's setting; what the disk did not take is
 * in memory only, within the queue's bounds, and is tried again later. Without one there is memory only.
 *
 * A batch is leased while a request carries it: it still counts towards the bound of bytes, but is not dropped, so that
 * no sample is counted both as dropped and as shipped. Reading a lease back needs memory for one request beyond the bound.
 * Ages are monotonic ms: a step of the wall clock drops nothing (while the process lives). Across a restart only the wall clock knows,
 * and at a start it may be wrong: how old it is what an earlier run left is decided when it had time to be set.
 */
import type { SampleBlock } from '@minutely/schema/sample-codec'
import type { Batch } from './batch.ts'
import type { DropReason } from './metrics.ts'
import type { Spool, SpoolPlace } from './spool.ts'

/** For the objects around a batch; measured roughly, on the large side. */
const overheadBytes = 512
/** Batches that only memory has, written when the disk works again: as many with each new one, about 10 ms. */
const rewrittenMax = 30
/** After a start, for the wall clock to be set right. */
const clockGraceMs = 10 * 60_000

export interface QueuedBatch extends Batch {
  /** Grows by one with every batch: the newest has the largest. What an earlier run left has 0 and less. */
  readonly sequence: number
  readonly bytes: number
  readonly queuedAtMs: number
  /** Of an earlier run, which may have had another name; undefined for this one's. */
  readonly serverId: string | undefined
}

/** What waits: with a block in memory, a place on disk, or both. */
interface Entry extends Omit<QueuedBatch, 'block' | 'sequence' | 'queuedAtMs'> {
  readonly startMs: number
  queuedAtMs: number
  sequence: number
  block: SampleBlock | undefined
  place: SpoolPlace | undefined
}

export interface BatchQueueConfig {
  readonly queueBytesMax: number
  readonly queueAgeMaxMs: number
}

export interface DroppedBatch {
  readonly startMs: number
  readonly sampleCount: number
}

export interface BatchQueueDeps {
  readonly monotonicMs: () => number
  readonly onDrop: (batch: DroppedBatch, reason: DropReason) => void
}

/** What may go into one request. */
export interface LeaseBounds {
  readonly batchesMax: number
  readonly seriesMax: number
  readonly bytesMax: number
}

export class BatchQueue {
  readonly #config: BatchQueueConfig
  readonly #deps: BatchQueueDeps
  readonly #leased = new Set<number>()
  /** When what an earlier run left was stored, by the wall clock, until that is believed. */
  readonly #storedAtMs = new Map<Entry, number>()
  #agesKnownFromMs = 0
  #wallMs: () => number = () => 0
  #entries: Entry[] = []
  /** Of the blocks in memory. */
  #bytes = 0
  #sequence = 0
  #spool: Spool | undefined

  constructor(config: BatchQueueConfig, deps: BatchQueueDeps) {
    this.#config = config
    this.#deps = deps
  }

  /** From now on batches are on disk too. What an earlier run left there waits before all others. @returns its samples. */
  attach(spool: Spool, { nowMs }: { readonly nowMs: () => number }): number {
    this.#wallMs = nowMs
    this.#agesKnownFromMs = this.#deps.monotonicMs() + clockGraceMs
    const nameOf = (serverId: string) => (serverId === spool.serverId ? undefined : serverId)
    const inSegments = spool.recover().map(({ place, head }): Entry => {
      const { startMs, seriesCount, sampleCount, blockBytes, storedAtMs } = head
      const bytes = blockBytes + overheadBytes
      const queuedAtMs = this.#queuedAtMs(storedAtMs)
      const known = { startMs, seriesCount, sampleCount, bytes, queuedAtMs, serverId: nameOf(head.serverId) }
      const entry = { ...known, sequence: 0, block: undefined, place }
      this.#storedAtMs.set(entry, storedAtMs)
      return entry
    })
    const cells = spool.recoverCells().map((cell) => ({
      cell,
      entries: cell.batches.map((batch) => this.#enter(batch, { serverId: nameOf(cell.serverId) })),
    }))
    const older = [...inSegments, ...cells.flatMap(({ entries }) => entries)]
    const end = Math.min(this.#entries[0]?.sequence ?? 1, 1)
    for (const [index, entry] of older.entries()) entry.sequence = end - older.length + index
    this.#entries.unshift(...older)
    this.#spool = spool
    spool.onEvict = (places) => this.#evicted(places)
    for (const { cell, entries } of cells) {
      for (const entry of entries) this.#write(entry)
      // Otherwise the next start finds it again, even if it was shipped by then.
      if (entries.every(({ place }) => place !== undefined)) spool.forgetCell(cell)
    }
    this.#dropExpired()
    this.#fitMemory()
    return older.reduce((sum, { sampleCount }) => sum + sampleCount, 0)
  }

  /** Keeps the batch, and drops the oldest ones that it leaves no room for. */
  keep(batch: Batch): void {
    this.#sequence += 1
    const entry = this.#enter(batch, { sequence: this.#sequence })
    this.#entries.push(entry)
    this.#write(entry)
    this.#spool?.closeCell(entry.startMs)
    if (entry.place !== undefined) this.#rewrite()
    this.#dropExpired()
    this.#fitMemory()
  }

  /** The sequence of the newest batch, 0 if there has been none. */
  get newestSequence(): number {
    return this.#entries.at(-1)?.sequence ?? 0
  }

  /** Bytes in memory; batches in memory or on disk. */
  get load(): { bytes: number; batches: number } {
    return { bytes: this.#bytes, batches: this.#entries.length }
  }

  /** The sequence of the oldest batch that waits; Infinity when none does. */
  get oldestSequence(): number {
    return this.#entries[0]?.sequence ?? Number.POSITIVE_INFINITY
  }

  /** Samples that wait, and how many of them are on disk; for how long the oldest did. */
  get waiting(): { samples: number; samplesOnDisk: number; oldestMs: number } {
    let samples = 0
    let samplesOnDisk = 0
    for (const { sampleCount, place } of this.#entries) {
      samples += sampleCount
      if (place !== undefined) samplesOnDisk += sampleCount
    }
    const nowMs = this.#deps.monotonicMs()
    return { samples, samplesOnDisk, oldestMs: nowMs - (this.#entries[0]?.queuedAtMs ?? nowMs) }
  }

  /** The newest batches of one server that fit the bounds, at least one if there is any. They stay until forgotten or released. */
  lease(bounds: LeaseBounds): QueuedBatch[] {
    this.#dropExpired()
    const leased: QueuedBatch[] = []
    let series = 0
    let bytes = 0
    for (const entry of this.#entries.toReversed()) {
      const fits =
        leased.length < bounds.batchesMax &&
        series + entry.seriesCount <= bounds.seriesMax &&
        bytes + entry.bytes <= bounds.bytesMax &&
        entry.serverId === leased[0]?.serverId
      if (leased.length > 0 && !fits) break
      const block = this.#load(entry)
      if (block === undefined) continue
      series += entry.seriesCount
      bytes += entry.bytes
      leased.push({ ...entry, block })
      this.#leased.add(entry.sequence)
    }
    return leased
  }

  /** The request failed: they wait for the next one. */
  release(batches: readonly QueuedBatch[]): void {
    for (const { sequence } of batches) this.#leased.delete(sequence)
    this.#dropExpired()
    this.#fitMemory()
  }

  /** The collector has answered for them. */
  forget(batches: readonly Pick<QueuedBatch, 'sequence'>[]): void {
    const gone = new Set(batches.map(({ sequence }) => sequence))
    this.#remove(this.#entries.filter(({ sequence }) => gone.has(sequence)))
  }

  /** Gives up what only memory has; the rest waits on disk for the next start. */
  dropAll(reason: DropReason): void {
    const lost = this.#entries.filter(({ place }) => place === undefined)
    this.#drop(lost, reason)
  }

  #enter(batch: Batch, { sequence = 0, serverId }: Partial<Pick<Entry, 'sequence' | 'serverId'>>): Entry {
    const { block, seriesCount, sampleCount } = batch
    const bytes = block.values.length + block.series.length + overheadBytes
    const queuedAtMs = this.#deps.monotonicMs()
    this.#bytes += bytes
    const known = { startMs: block.startMs, seriesCount, sampleCount, bytes, queuedAtMs, serverId }
    return { ...known, sequence, block, place: undefined }
  }

  /** To disk, as far as the disk takes it. */
  #write(entry: Entry): void {
    const { block, seriesCount, sampleCount, serverId } = entry
    if (block === undefined || this.#spool === undefined) return
    entry.place = this.#spool.append({ block, seriesCount, sampleCount }, { serverId })
  }

  /** The newest that the disk did not take when they came. */
  #rewrite(): void {
    const unwritten = this.#entries.filter(({ place }) => place === undefined).slice(-rewrittenMax)
    for (const entry of unwritten) this.#write(entry)
  }

  /** Back to memory. Undefined when the disk cannot give it now, or not any more. */
  #load(entry: Entry): SampleBlock | undefined {
    if (entry.block !== undefined || entry.place === undefined) return entry.block
    const batch = this.#spool?.read(entry.place)
    if (batch === 'lost') this.#drop([entry], 'spool-lost')
    if (batch === 'lost' || batch === undefined) return undefined
    this.#bytes += entry.bytes
    entry.block = batch.block
    return batch.block
  }

  #unload(entry: Entry): void {
    if (entry.block !== undefined) this.#bytes -= entry.bytes
    entry.block = undefined
  }

  /** Their room on disk was needed. What is on its way stays in memory. */
  #evicted(places: ReadonlySet<SpoolPlace>): void {
    const evicted = this.#entries.filter(({ place }) => place !== undefined && places.has(place))
    for (const entry of evicted) entry.place = undefined
    this.#drop(
      evicted.filter(({ sequence }) => !this.#leased.has(sequence)),
      'spool-bytes',
    )
  }

  #queuedAtMs(storedAtMs: number): number {
    return this.#deps.monotonicMs() - Math.max(0, this.#wallMs() - storedAtMs)
  }

  #dropExpired(): void {
    const nowMs = this.#deps.monotonicMs()
    if (nowMs >= this.#agesKnownFromMs && this.#storedAtMs.size > 0) {
      for (const [entry, storedAtMs] of this.#storedAtMs) entry.queuedAtMs = this.#queuedAtMs(storedAtMs)
      this.#storedAtMs.clear()
    }
    const spoolAgeMsMax = this.#spool?.ageMsMax ?? this.#config.queueAgeMaxMs
    const idle = this.#entries.filter((entry) => !this.#leased.has(entry.sequence) && !this.#storedAtMs.has(entry))
    const olderThan = (ageMs: number, isOnDisk: boolean) =>
      idle.filter(({ place, queuedAtMs }) => (place !== undefined) === isOnDisk && queuedAtMs < nowMs - ageMs)
    this.#drop(olderThan(this.#config.queueAgeMaxMs, false), 'queue-age')
    this.#drop(olderThan(spoolAgeMsMax, true), 'spool-age')
  }

  /** The newest one stays, even alone above the bound: a host whose batch is that large must not be silent. */
  #fitMemory(): void {
    const idle = this.#entries.slice(0, -1).filter(({ sequence }) => !this.#leased.has(sequence))
    for (const entry of idle) {
      if (this.#bytes <= this.#config.queueBytesMax) return
      if (entry.place !== undefined) this.#unload(entry)
    }
    for (const entry of idle) {
      if (this.#bytes <= this.#config.queueBytesMax) return
      if (entry.place === undefined) this.#drop([entry], 'queue-bytes')
    }
  }

  #drop(entries: readonly Entry[], reason: DropReason): void {
    this.#remove(entries)
    for (const entry of entries) this.#deps.onDrop(entry, reason)
  }

  #remove(entries: readonly Entry[]): void {
    if (entries.length === 0) return
    const gone = new Set(entries)
    this.#entries = this.#entries.filter((entry) => !gone.has(entry))
    for (const entry of entries) {
      this.#leased.delete(entry.sequence)
      this.#storedAtMs.delete(entry)
      this.#unload(entry)
    }
    this.#spool?.forget(entries.flatMap(({ place }) => (place === undefined ? [] : [place])))
  }
}
