/**
 * Batches the collector has not acknowledged, oldest to newest, in memory and within bounds of bytes and age. A batch
 * leaves by `forget` (acknowledged, or refused for good) or by being dropped when a bound is passed: the oldest first,
 * because what is newest is what somebody is looking at.
 *
 * A batch is leased while a request carries it: it still counts towards the bound of bytes, but is not dropped, so that
 * no sample is counted both as dropped and as shipped. Ages are monotonic ms: a step of the wall clock drops nothing.
 *
 * ship.ts uses nothing but this class' methods; a spool on disk takes its place later.
 */
import type { Batch } from './batch.ts'
import type { DropReason } from './metrics.ts'

/** For the objects around a batch; measured roughly, on the large side. */
const overheadBytes = 512

export interface QueuedBatch extends Batch {
  /** Grows by one with every batch: the newest has the largest. */
  readonly sequence: number
  readonly bytes: number
  readonly queuedAtMs: number
}

export interface BatchQueueConfig {
  readonly queueBytesMax: number
  readonly queueAgeMaxMs: number
}

export interface BatchQueueDeps {
  readonly monotonicMs: () => number
  readonly onDrop: (batch: QueuedBatch, reason: DropReason) => void
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
  readonly #leased = new Set<QueuedBatch>()
  #batches: QueuedBatch[] = []
  #bytes = 0
  #sequence = 0

  constructor(config: BatchQueueConfig, deps: BatchQueueDeps) {
    this.#config = config
    this.#deps = deps
  }

  /** Keeps the batch, and drops the oldest ones that it leaves no room for. */
  keep(batch: Batch): void {
    const bytes = batch.block.values.length + batch.block.series.length + overheadBytes
    this.#sequence += 1
    this.#batches.push({ ...batch, sequence: this.#sequence, bytes, queuedAtMs: this.#deps.monotonicMs() })
    this.#bytes += bytes
    this.#dropExpired()
    this.#dropOverflow()
  }

  /** The sequence of the newest batch, 0 if there has been none. */
  get newestSequence(): number {
    return this.#batches.at(-1)?.sequence ?? 0
  }

  get load(): { bytes: number; batches: number } {
    return { bytes: this.#bytes, batches: this.#batches.length }
  }

  /** The newest batches that fit the bounds, at least one if there is any. They stay until forgotten or released. */
  lease(bounds: LeaseBounds): QueuedBatch[] {
    this.#dropExpired()
    const leased: QueuedBatch[] = []
    let series = 0
    let bytes = 0
    for (const batch of this.#batches.toReversed()) {
      series += batch.seriesCount
      bytes += batch.bytes
      const fits = leased.length < bounds.batchesMax && series <= bounds.seriesMax && bytes <= bounds.bytesMax
      if (leased.length > 0 && !fits) break
      leased.push(batch)
    }
    for (const batch of leased) this.#leased.add(batch)
    return leased
  }

  /** The request failed: they wait for the next one. */
  release(batches: readonly QueuedBatch[]): void {
    for (const batch of batches) this.#leased.delete(batch)
    this.#dropExpired()
    this.#dropOverflow()
  }

  /** The collector has answered for them. */
  forget(batches: readonly QueuedBatch[]): void {
    const gone = new Set(batches)
    this.#batches = this.#batches.filter((batch) => !gone.has(batch))
    for (const batch of batches) {
      this.#leased.delete(batch)
      this.#bytes -= batch.bytes
    }
  }

  /** Gives up whatever is left. */
  dropAll(reason: DropReason): void {
    for (const batch of [...this.#batches]) this.#drop(batch, reason)
  }

  #dropExpired(): void {
    const oldestMs = this.#deps.monotonicMs() - this.#config.queueAgeMaxMs
    for (const batch of this.#batches.filter(({ queuedAtMs }) => queuedAtMs < oldestMs)) {
      if (!this.#leased.has(batch)) this.#drop(batch, 'queue-age')
    }
  }

  /** The newest one stays, even alone above the bound: a host whose batch is that large must not be silent. */
  #dropOverflow(): void {
    for (const batch of this.#batches.slice(0, -1)) {
      if (this.#bytes <= this.#config.queueBytesMax) return
      if (!this.#leased.has(batch)) this.#drop(batch, 'queue-bytes')
    }
  }

  #drop(batch: QueuedBatch, reason: DropReason): void {
    this.forget([batch])
    this.#deps.onDrop(batch, reason)
  }
}
