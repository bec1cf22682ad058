/**
 * The cells that are still being gathered, second by second in files: what makes kill -9 cost the second that was being
 * written and no more. A file for each cell, removed as soon as its batch is in a segment. Times are ms since the epoch.
 *
 *   file   [ server | series 0..75 | reading :00 | reading :01 | series 76 | reading :02 | ...
 *                                                                 └ a disk that appeared
 *
 * After a failed append it is not known what the file holds, so the cell goes on in another file that names its series anew.
 * A batch rebuilt from all files of a cell holds what SampleBatcher held, except for what could not be written.
 */
import type { SeriesRef } from '@minutely/schema/series-identity'
import { type Batch, SampleBatcher } from './batch.ts'
import { cellStartMs } from './flush-grid.ts'
import type { HostSample } from './host-metrics.ts'
import {
  decodeReading,
  decodeSeries,
  decodeServer,
  encodeReading,
  encodeSeries,
  encodeServer,
  scanFrames,
} from './spool-record.ts'

export interface CellJournalDeps {
  readonly serverId: string
  /** A name for a new file. */
  readonly nextName: () => string
  /** False when it was not written, or not as a whole. */
  readonly append: (name: string, bytes: Buffer) => boolean
  readonly remove: (name: string) => void
}

interface OpenCell {
  readonly names: string[]
  /** Of the last of the names; undefined after a failure. Series are known by identity: readers reuse their objects. */
  numbers: Map<SeriesRef, number> | undefined
}

export class CellJournal {
  readonly #deps: CellJournalDeps
  readonly #cells = new Map<number, OpenCell>()

  constructor(deps: CellJournalDeps) {
    this.#deps = deps
  }

  add(secondMs: number, samples: readonly HostSample[]): void {
    const startMs = cellStartMs(secondMs)
    const cell = this.#cells.get(startMs) ?? { names: [], numbers: undefined }
    this.#cells.set(startMs, cell)
    const records: Buffer[] = []
    if (cell.numbers === undefined) {
      cell.numbers = new Map()
      cell.names.push(this.#deps.nextName())
      records.push(encodeServer(this.#deps.serverId))
    }
    const { numbers } = cell
    const firstNumber = numbers.size
    const unknown = samples.map(({ series }) => series).filter((series) => !numbers.has(series))
    for (const series of unknown) numbers.set(series, numbers.size)
    if (unknown.length > 0) records.push(encodeSeries(firstNumber, [...numbers.keys()].slice(firstNumber)))
    records.push(
      encodeReading(
        secondMs,
        samples.map(({ series, value }) => [numbers.get(series) ?? 0, value]),
      ),
    )
    if (!this.#deps.append(cell.names.at(-1) ?? '', Buffer.concat(records))) cell.numbers = undefined
  }

  /** The cell's batch is kept elsewhere. */
  forget(startMs: number): void {
    for (const name of this.#cells.get(startMs)?.names ?? []) this.#deps.remove(name)
    this.#cells.delete(startMs)
  }
}

export interface RebuiltCell {
  /** Undefined when the file does not say; then there are no batches either. */
  readonly serverId: string | undefined
  readonly batches: readonly Batch[]
  readonly unsoundBytes: number
}

/** What the file of a cell holds. */
export function rebuildCell(bytes: Buffer): RebuiltCell {
  const { frames, unsoundBytes } = scanFrames(bytes)
  const batcher = new SampleBatcher()
  const series = new Map<number, SeriesRef>()
  let serverId: string | undefined
  for (const { kind, payload } of frames) {
    if (kind === 'server') serverId = decodeServer(payload)
    if (kind === 'series') for (const [number, ref] of decodeSeries(payload)) series.set(number, ref)
    if (kind === 'reading') {
      const { secondMs, samples } = decodeReading(payload, series)
      batcher.add(secondMs, samples)
    }
  }
  return serverId === undefined
    ? { serverId, batches: [], unsoundBytes: bytes.length }
    : { serverId, batches: batcher.takeAll(), unsoundBytes }
}
