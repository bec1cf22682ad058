/**
 * What is not yet acknowledged, on disk: batches in segments that are only appended to, and the cells still being gathered
 * (cell-journal.ts). Pure but for the port (spool-files.ts).
 *
 *   0000000007.segment   [ batch | batch | batch ...   closed at 1 MiB, removed when all its batches are acknowledged
 *   0000000007.acked     [ offset | offset ...         which of them are; if it is lost they are sent again, which is harmless
 *   0000000009.cell      [ readings of :15 .. ]        becomes a batch at the flush, and is removed
 *
 * - All files together stay within bytesMax: to make room the oldest segment goes, whole, and what it held is reported.
 * - Nothing is appended to a segment of an earlier run, nor after a failed append: offsets are always known.
 * - A batch is read back with its checksum: a damaged one is never sent.
 *
 * storedAtMs, a batch's age across restarts, is by the host's clock, the only one that a restart does not set back.
 */
import type { Batch } from './batch.ts'
import { CellJournal, rebuildCell } from './cell-journal.ts'
import type { HostSample } from './host-metrics.ts'
import { SpoolDisk, type SpoolDiskDeps } from './spool-disk.ts'
import { spoolFilePattern } from './spool-files.ts'
import {
  type BatchHead,
  decodeAcknowledged,
  decodeBatch,
  decodeBatchHead,
  encodeAcknowledged,
  encodeBatch,
  frameAt,
  scanFrames,
} from './spool-record.ts'

const segmentBytesMax = 1_048_576
/** A small spool must not lose a large part of itself at once. */
const segmentsMin = 8

/** Where a batch is. */
export interface SpoolPlace {
  readonly segment: Segment
  readonly offset: number
  readonly bytes: number
}

interface Segment {
  readonly name: string
  readonly ackedName: string
  bytes: number
  /** Of the batches that are not acknowledged. */
  readonly waiting: Set<SpoolPlace>
}

export interface SpoolConfig {
  readonly serverId: string
  readonly spoolBytesMax: number
  readonly spoolAgeMsMax: number
}

export interface SpoolDeps extends SpoolDiskDeps {
  /** The host's clock. */
  readonly nowMs: () => number
}

/** What an earlier run had gathered of a cell, in memory until it is appended. */
export interface RecoveredCell {
  readonly name: string
  readonly serverId: string
  readonly batches: readonly Batch[]
}

export class Spool {
  /** Told which batches went to make room; set by who keeps the places. */
  onEvict: (places: ReadonlySet<SpoolPlace>) => void = () => {}
  readonly ageMsMax: number
  /** Whose samples it takes now; what it has may be of another. */
  readonly serverId: string
  readonly #config: SpoolConfig
  readonly #deps: SpoolDeps
  readonly #disk: SpoolDisk
  readonly #journal: CellJournal
  /** Oldest first. */
  readonly #segments = new Set<Segment>()
  #current: Segment | undefined
  #lastNumber: number

  /** @throws what the disk says when the folder cannot be listed. */
  constructor(config: SpoolConfig, deps: SpoolDeps) {
    this.#config = config
    this.#deps = deps
    this.ageMsMax = config.spoolAgeMsMax
    this.serverId = config.serverId
    this.#disk = new SpoolDisk(deps)
    this.#lastNumber = Math.max(0, ...this.#disk.names.map(numberOf))
    this.#journal = new CellJournal({
      serverId: config.serverId,
      nextName: () => `${this.#nextNumber()}.cell`,
      append: (name, bytes) => this.#makeRoom(bytes.length) && this.#disk.append(name, bytes),
      remove: (name) => this.#disk.remove(name),
    })
  }

  /** Bytes of all files; batches that wait in segments. */
  get load(): { bytes: number; batches: number } {
    let batches = 0
    for (const { waiting } of this.#segments) batches += waiting.size
    return { bytes: this.#disk.bytes, batches }
  }

  /** Why nothing is written at present, for a person. */
  get trouble(): string | null {
    return this.#disk.trouble
  }

  get isWritable(): boolean {
    return this.#disk.isWritable
  }

  /** What an earlier run left in segments, oldest first; once, before anything else. A segment at a time is in memory. */
  recover(): { readonly place: SpoolPlace; readonly head: BatchHead }[] {
    const found = this.#namesOf('segment').flatMap((name) => this.#recoverSegment(name))
    for (const name of this.#namesOf('acked')) {
      if (!this.#disk.has(name.replace('.acked', '.segment'))) this.#disk.remove(name)
    }
    return found
  }

  /** The cells of an earlier run, oldest first. They stay in their files until `forgetCell`. */
  recoverCells(): RecoveredCell[] {
    return this.#namesOf('cell').flatMap((name) => {
      const bytes = this.#disk.read(name)
      if (bytes === undefined) return []
      const { serverId, batches, unsoundBytes } = rebuildCell(bytes)
      this.#deps.metrics.bytesCut.inc(unsoundBytes)
      if (serverId !== undefined && batches.length > 0) return [{ name, serverId, batches }]
      this.#disk.remove(name)
      return []
    })
  }

  forgetCell({ name }: RecoveredCell): void {
    this.#disk.remove(name)
  }

  /** A second's samples, as soon as they were read. */
  journal(secondMs: number, samples: readonly HostSample[]): void {
    if (samples.length > 0 && this.isWritable) this.#journal.add(secondMs, samples)
  }

  /** The cell's batch was appended, or the disk did not take it. */
  closeCell(startMs: number): void {
    this.#journal.forget(startMs)
  }

  /** Undefined when the disk does not take it. */
  append(batch: Batch, { serverId }: { readonly serverId?: string | undefined } = {}): SpoolPlace | undefined {
    if (!this.isWritable) return undefined
    const record = encodeBatch(batch, { serverId: serverId ?? this.serverId, storedAtMs: this.#deps.nowMs() })
    if (!this.#makeRoom(record.length)) return undefined
    const segment = this.#current ?? this.#openSegment()
    if (!this.#disk.append(segment.name, record)) {
      this.#closeSegment()
      return undefined
    }
    const place = { segment, offset: segment.bytes, bytes: record.length }
    segment.bytes += record.length
    segment.waiting.add(place)
    // One that is about to be acknowledged is not worth it.
    if (this.load.batches > 1) this.#disk.sync(segment.name)
    if (segment.bytes >= Math.min(segmentBytesMax, this.#config.spoolBytesMax / segmentsMin)) this.#closeSegment()
    return place
  }

  /** `lost` when the disk has it no longer, undefined when it cannot be read at present. */
  read({ segment, offset, bytes: length }: SpoolPlace): Batch | 'lost' | undefined {
    const bytes = this.#disk.read(segment.name, { offset, length })
    if (bytes === undefined) return undefined
    const frame = frameAt(bytes, 0)
    if (frame?.kind !== 'batch') return 'lost'
    try {
      return decodeBatch(frame.payload)
    } catch (error) {
      this.#deps.log.warn(
        { err: error },
        'a batch of the spool was written by a version that cannot be read; it is dropped',
      )
      return 'lost'
    }
  }

  /** They need not be kept: acknowledged, or given up. */
  forget(places: readonly SpoolPlace[]): void {
    const records = new Map<Segment, Buffer[]>()
    for (const place of places) {
      const { segment } = place
      if (segment.waiting.delete(place))
        records.set(segment, [...(records.get(segment) ?? []), encodeAcknowledged(place.offset)])
    }
    for (const [segment, written] of records) {
      const record = Buffer.concat(written)
      if (segment.waiting.size === 0 && segment !== this.#current) this.#removeSegment(segment)
      // A spool that is full or failing forgets who acknowledged; room comes with the segments that are removed.
      else if (this.#disk.bytes + record.length <= this.#config.spoolBytesMax)
        this.#disk.append(segment.ackedName, record)
    }
  }

  /** Resolves when nothing is under way. */
  settled(): Promise<void> {
    return this.#disk.settled()
  }

  #recoverSegment(name: string): { place: SpoolPlace; head: BatchHead }[] {
    const segment = segmentOf(name, this.#disk.bytesOf(name))
    this.#segments.add(segment)
    const bytes = this.#disk.read(name)
    // It stays for a later start, unless its room is needed before.
    if (bytes === undefined) return []
    const acked = scanFrames(this.#disk.read(segment.ackedName) ?? Buffer.alloc(0)).frames
    const offsets = new Set(acked.map(({ payload }) => decodeAcknowledged(payload)))
    const { frames, unsoundBytes } = scanFrames(bytes)
    this.#deps.metrics.bytesCut.inc(unsoundBytes)
    const waiting = frames.filter(({ kind, offset }) => kind === 'batch' && !offsets.has(offset))
    const found = waiting.map(({ offset, bytes: length, payload }) => {
      const place = { segment, offset, bytes: length }
      segment.waiting.add(place)
      return { place, head: decodeBatchHead(payload) }
    })
    if (found.length === 0) this.#removeSegment(segment)
    return found
  }

  /** Oldest first. */
  #namesOf(suffix: 'segment' | 'acked' | 'cell'): string[] {
    return this.#disk.names.filter((name) => name.endsWith(`.${suffix}`)).sort()
  }

  #openSegment(): Segment {
    const segment = segmentOf(`${this.#nextNumber()}.segment`, 0)
    this.#segments.add(segment)
    this.#current = segment
    return segment
  }

  #closeSegment(): void {
    const segment = this.#current
    this.#current = undefined
    if (segment !== undefined && segment.waiting.size === 0) this.#removeSegment(segment)
  }

  #makeRoom(bytes: number): boolean {
    while (this.#disk.bytes + bytes > this.#config.spoolBytesMax) {
      const oldest = this.#segments.values().next().value
      if (oldest === undefined || !this.#removeSegment(oldest)) return false
      if (oldest === this.#current) this.#current = undefined
      this.onEvict(oldest.waiting)
    }
    return true
  }

  /** The segment first: without it what was acknowledged matters no more. */
  #removeSegment(segment: Segment): boolean {
    if (!this.#disk.remove(segment.name)) return false
    this.#segments.delete(segment)
    this.#disk.remove(segment.ackedName)
    return true
  }

  #nextNumber(): string {
    this.#lastNumber += 1
    return String(this.#lastNumber).padStart(10, '0')
  }
}

function segmentOf(name: string, bytes: number): Segment {
  return { name, ackedName: name.replace('.segment', '.acked'), bytes, waiting: new Set() }
}

function numberOf(name: string): number {
  return Number(spoolFilePattern.exec(name)?.[1] ?? 0)
}
