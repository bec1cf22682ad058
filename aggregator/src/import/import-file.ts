/**
 * A file of history into the store:
 *
 *   read ── lines ── points ── batch full? ── settle ── ids ── part, part, part (store-part.ts) ── the ledger moves on ── read on
 *
 * One batch is in memory at a time. It is full when its points and the series that are known take memoryBytesMax; that is looked at after
 * each chunk of at most 1 MiB, so it may be passed by what one of them (or one long line) holds.
 */
import type { PoolClient } from '@minutely/lib/postgres/pool'
import { inClientTransaction } from '../sealing/seal-transaction.ts'
import type { ByteSource } from './byte-source.ts'
import { addTotals, createTotals, type ImportTotals } from './import-counts.ts'
import type { BatchPlan, ImportLedger } from './import-ledger.ts'
import type { ImportSeriesTable } from './import-series.ts'
import type { LineParser, ParseContext } from './line-parser.ts'
import { LineSplitter } from './line-splitter.ts'
import { type BatchPart, PointBatch, seriesPerPart, type TimeBounds } from './point-batch.ts'
import type { KeepLedger } from './store-part.ts'

export interface ImportBounds {
  readonly memoryBytesMax: number
  readonly lineBytesMax: number
}

export interface ImportFileDeps {
  readonly client: PoolClient
  readonly ledger: ImportLedger
  readonly series: ImportSeriesTable
  readonly createParser: (context: ParseContext) => LineParser
  /** CSV: the first line is none of points. */
  readonly hasHeader: boolean
  /** Of a batch that begins now. */
  readonly timeBounds: () => TimeBounds
  readonly resolveSeries: (parts: readonly BatchPart[]) => Promise<void>
  readonly storePart: (part: BatchPart, keepLedger: KeepLedger) => Promise<number>
  /** `totals`: of all of the file, what is not stored yet included. */
  readonly onProgress: (totals: ImportTotals) => void
  readonly now: () => Date
}

/** @returns what became of its points, in all the runs that it took. */
export async function importFile(
  source: ByteSource,
  bounds: ImportBounds,
  deps: ImportFileDeps,
): Promise<ImportTotals> {
  const run = new FileImport(source, bounds, deps)
  return run.run()
}

class FileImport {
  readonly #source: ByteSource
  readonly #bounds: ImportBounds
  readonly #deps: ImportFileDeps
  readonly #splitter: LineSplitter
  readonly #parser: LineParser
  readonly #context: ParseContext
  /** Of a batch that was begun by an earlier run. */
  #plan: BatchPlan | undefined
  #linesBefore = 0

  constructor(source: ByteSource, bounds: ImportBounds, deps: ImportFileDeps) {
    this.#source = source
    this.#bounds = bounds
    this.#deps = deps
    const { ledger, series, hasHeader } = deps
    this.#plan = ledger.batch
    const firstLine = ledger.totals.lines
    this.#context = { series, batch: this.#createBatch(), lineNumber: firstLine }
    this.#parser = deps.createParser(this.#context)
    this.#splitter = new LineSplitter(
      bounds.lineBytesMax,
      {
        line: (bytes, range, offset) => {
          this.#context.lineNumber = firstLine + this.#splitter.lines
          if (offset > 0 || !hasHeader) this.#parser.line(bytes, range)
        },
        tooLong: (bytes) => {
          const detail = `it has ${bytes} bytes, MINUTELY_IMPORT_LINE_BYTES_MAX is ${bounds.lineBytesMax}`
          const where = `line ${firstLine + this.#splitter.lines}`
          this.#context.batch.refuse('line-too-long', detail, { count: 1, where })
        },
      },
      ledger.position,
    )
  }

  async run(): Promise<ImportTotals> {
    const { ledger } = this.#deps
    let pushedThrough = ledger.position
    for await (const chunk of this.#source.chunks(ledger.position)) {
      for (let rest = chunk; rest.length > 0; ) {
        // A batch that was begun ends where it ended then, which is the end of a line.
        const part = rest.subarray(0, (this.#plan?.end ?? Number.POSITIVE_INFINITY) - pushedThrough)
        this.#splitter.push(part)
        pushedThrough += part.length
        rest = rest.subarray(part.length)
        if (this.#isFull) await this.#store(null)
      }
      this.#deps.onProgress(this.#totals())
    }
    this.#splitter.end()
    await this.#store(this.#deps.now())
    return structuredClone(ledger.totals)
  }

  #createBatch(): PointBatch {
    return new PointBatch(this.#plan ?? this.#deps.timeBounds())
  }

  get #isFull(): boolean {
    if (this.#plan !== undefined) return this.#splitter.offset >= this.#plan.end
    return this.#context.batch.bytes + this.#deps.series.bytes >= this.#bounds.memoryBytesMax
  }

  #totals(): ImportTotals {
    const totals = structuredClone(this.#deps.ledger.totals) as ImportTotals
    addTotals(totals, this.#context.batch.totals)
    return totals
  }

  async #store(finishedAt: Date | null): Promise<void> {
    const { client, ledger, series, resolveSeries, onProgress } = this.#deps
    const { batch } = this.#context
    const parts = batch.settle()
    const end = this.#splitter.offset
    const { fromMs, throughMs } = batch.bounds
    const partsDone = this.#plan?.partsDone ?? 0
    await resolveSeries(parts.slice(partsDone))
    for (const [index, part] of parts.entries()) {
      if (index < partsDone) continue
      const count = part.series.reduce((sum, { from, to }) => sum + to - from, 0)
      await this.#deps.storePart(part, (tx, { added, expired }) =>
        ledger.partStored(
          tx,
          { end, fromMs, throughMs, partsDone: index + 1, seriesPerPart },
          {
            ...createTotals(),
            ...{ added, known: count - added - expired, refused: expired === 0 ? {} : { 'minutes-dropped': expired } },
          },
        ),
      )
      onProgress(this.#totals())
    }
    batch.totals.lines = this.#splitter.lines - this.#linesBefore
    this.#linesBefore = this.#splitter.lines
    const done = await inClientTransaction(client, () =>
      ledger.batchStored(client, { position: end, finishedAt }, batch.totals),
    )
    done()
    batch.release()
    if (series.bytes * 4 > this.#bounds.memoryBytesMax) series.clear()
    this.#plan = undefined
    this.#context.batch = this.#createBatch()
  }
}
