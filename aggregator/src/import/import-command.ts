/**
 * `npm run import`: files of history, one after the other (import-file.ts). A file that cannot be read ends the command; what was imported
 * before stays, and the same command goes on there.
 */
import { createHash } from 'node:crypto'
import type { Readable } from 'node:stream'
import type { Clock } from '@minutely/lib/clock'
import type { Pool, PoolClient } from '@minutely/lib/postgres/pool'
import { MinutePartitions } from '../minute-partitions.ts'
import { Retention, type RetentionConfig } from '../retention.ts'
import { hourMs } from '../sealing/hour-locks.ts'
import { SlicePacker } from '../sealing/pack-slice.ts'
import { readClasses } from '../sealing/retention-classes.ts'
import { TierWriter, type TierWriterDeps } from '../sealing/write-sealed.ts'
import { SeriesDictionary } from '../series-dictionary.ts'
import { type ByteSource, openFile, openPipe, SourceError } from './byte-source.ts'
import { readCsvHeader } from './csv-header.ts'
import { CsvLines } from './csv-lines.ts'
import { detectFormat, type ImportFormat } from './detect-format.ts'
import type { ImportTotals } from './import-counts.ts'
import { importFile } from './import-file.ts'
import { ImportLedger } from './import-ledger.ts'
import { type ImportOptions, ImportUsageError } from './import-options.ts'
import type { ProgressState } from './import-progress.ts'
import { ImportSeriesTable } from './import-series.ts'
import type { ImportConfig } from './import-settings.ts'
import { summaryOf } from './import-summary.ts'
import { JsonLines } from './json-lines.ts'
import type { LineParser, ParseContext } from './line-parser.ts'
import { LivePace } from './live-pace.ts'
import type { BatchPart, TimeBounds } from './point-batch.ts'
import { entriesOf, type PartPoint, storePart } from './store-part.ts'
import { VictoriaLines } from './victoria-lines.ts'

/** As the collector has it. */
const futureMs = 300_000
/** The process that was killed may still have a statement running. */
const lockWaitMs = 15_000
const lockAskEveryMs = 250
const chunkBytesMin = 4_096
const chunkBytesMax = 1_048_576

/** Of the aggregators of the same store. */
export interface StoreConfig extends RetentionConfig {
  readonly sealAfterMinutes: number
  readonly ringHours: number
}

export interface FileProgress {
  update(state: ProgressState): void
  wait(lagMs: number): void
  stop(): void
}

export interface ImportDeps {
  readonly pool: Pool
  readonly clock: Clock
  readonly stdin: Readable
  readonly say: (line: string) => void
  readonly createProgress: (name: string, totalBytes: number | undefined) => FileProgress
  readonly random?: () => number
  /** For tests. */
  readonly reached?: (point: PartPoint) => Promise<void>
}

/** @returns what became of the points of each file. @throws SourceError, ImportUsageError, CsvHeaderError */
export async function runImport(
  options: ImportOptions,
  config: ImportConfig & StoreConfig,
  deps: ImportDeps,
): Promise<ImportTotals[]> {
  const client = await deps.pool.connect()
  try {
    const results: ImportTotals[] = []
    const retention = new Retention(config)
    // As the aggregators have written them: an import changes nothing of what is kept how long.
    const tiers = { retention, classes: await readClasses(deps.pool, retention) }
    for (const path of options.files) {
      const source =
        path === '-' ? await openPipe(deps.stdin) : await openFile(path, { chunkBytes: chunkBytesOf(config) })
      try {
        results.push(await new SourceImport(source, options, { ...deps, config, client, tiers }).run())
      } finally {
        await source.close()
      }
    }
    return results
  } finally {
    client.release(true)
  }
}

/** So that a batch is little more than it may be: how full it is is looked at after each. */
function chunkBytesOf({ memoryBytesMax }: ImportConfig): number {
  return Math.min(chunkBytesMax, Math.max(chunkBytesMin, Math.floor(memoryBytesMax / 64)))
}

interface SourceDeps extends ImportDeps {
  readonly config: ImportConfig & StoreConfig
  readonly client: PoolClient
  readonly tiers: TierWriterDeps
}

class SourceImport {
  readonly #source: ByteSource
  readonly #options: ImportOptions
  readonly #deps: SourceDeps
  readonly #format: ImportFormat
  readonly #dictionary: SeriesDictionary
  /** Made when there is something to say. */
  #made: FileProgress | undefined
  readonly #pace: LivePace

  constructor(source: ByteSource, options: ImportOptions, deps: SourceDeps) {
    this.#source = source
    this.#options = options
    this.#deps = deps
    this.#format = options.format ?? formatOf(source)
    this.#dictionary = new SeriesDictionary(deps.pool)
    const { client, clock, config } = deps
    this.#pace = new LivePace(config, { client, clock, onWait: (lagMs) => this.#progress.wait(lagMs) })
  }

  get #progress(): FileProgress {
    this.#made ??= this.#deps.createProgress(this.#source.name, this.#source.bytes)
    return this.#made
  }

  async run(): Promise<ImportTotals> {
    const { clock, say, client, config } = this.#deps
    const { name } = this.#source
    // Refused before anything is written.
    const createParser = this.#parserOf()
    const ledger = await this.#openLedger()
    try {
      if (ledger.finishedAt !== undefined) {
        if (!this.#options.again) {
          say(
            `${name}: was imported at ${ledger.finishedAt.toISOString()}; --again reads it anew and adds only what is missing`,
          )
          return structuredClone(ledger.totals) as ImportTotals
        }
        await ledger.restart(client)
      }
      if (ledger.position > 0 || ledger.batch !== undefined) say(`${name}: goes on behind line ${ledger.totals.lines}`)
      await this.#pace.wait()
      const startedAtMs = clock.nowMs()
      const totals = await importFile(this.#source, config, {
        client,
        ledger,
        series: new ImportSeriesTable(this.#options.tenant),
        createParser,
        hasHeader: this.#format === 'csv',
        timeBounds: () => this.#timeBounds(),
        resolveSeries: (parts) => this.#resolve(parts),
        storePart: this.#storer(),
        onProgress: (totals) => this.#tell(totals),
        now: () => new Date(clock.nowMs()),
      })
      this.#made?.stop()
      for (const line of summaryOf(name, totals, clock.nowMs() - startedAtMs)) say(line)
      return totals
    } finally {
      this.#made?.stop()
      await ledger.close(client).catch(() => {})
    }
  }

  #parserOf(): (context: ParseContext) => LineParser {
    const mapping = this.#options.mapping(this.#format)
    if (this.#format === 'victoria-metrics') return (context) => new VictoriaLines(mapping, context)
    if (this.#format === 'jsonl') return (context) => new JsonLines(mapping, context)
    const columns = readCsvHeader(firstLineOf(this.#source), mapping)
    return (context) => new CsvLines(columns, mapping, context)
  }

  async #openLedger(): Promise<ImportLedger> {
    const { client, clock } = this.#deps
    // The same bytes understood otherwise are another import.
    const understanding = JSON.stringify([this.#format, this.#options.tenant, this.#options.mapping(this.#format)])
    const fingerprint = createHash('sha256').update(this.#source.fingerprint).update(understanding).digest('hex')
    for (let waitedMs = 0; waitedMs <= lockWaitMs; waitedMs += lockAskEveryMs) {
      const ledger = await ImportLedger.open(client, { fingerprint, name: this.#source.name })
      if (ledger !== undefined) return ledger
      await clock.sleep(lockAskEveryMs)
    }
    throw new SourceError(`${this.#source.name} is being imported by another process; wait for it, or stop it`)
  }

  #timeBounds(): TimeBounds {
    const { clock, tiers } = this.#deps
    const keptFromMs = clock.nowMs() - tiers.retention.minuteHoursMax * hourMs
    return { fromMs: Math.ceil(keptFromMs / hourMs) * hourMs, throughMs: clock.nowMs() + futureMs }
  }

  async #resolve(parts: readonly BatchPart[]): Promise<void> {
    const entries = entriesOf(parts)
    // Those that are new get the instant of their first point with the part that stores it, which is never later.
    await this.#dictionary.resolve(entries, { firstSeenMs: this.#deps.clock.nowMs(), owner: undefined })
  }

  #storer(): Parameters<typeof importFile>[2]['storePart'] {
    const { client, clock, config, pool, random = Math.random, reached, tiers } = this.#deps
    const deps = {
      client,
      clock,
      dictionary: this.#dictionary,
      partitions: new MinutePartitions(pool),
      packer: new SlicePacker(),
      tiers,
      writer: new TierWriter(tiers),
      random,
      ...(reached && { reached }),
    }
    return async (part, keepLedger) => {
      await this.#pace.wait()
      const { sealAfterMinutes, ringHours } = config
      const sealableBeforeMs = sealAfterMinutes === 0 ? 0 : this.#pace.closedThroughMs - sealAfterMinutes * 60_000
      const ringFromMs = clock.nowMs() - (ringHours + 1) * hourMs
      return storePart(part, { bounds: { sealableBeforeMs, ringFromMs }, keepLedger }, deps)
    }
  }

  #tell(totals: ImportTotals): void {
    const { readBytes, bytes: totalBytes } = this.#source
    this.#progress.update({ readBytes, totalBytes, totals })
  }
}

function formatOf(source: ByteSource): ImportFormat {
  const format = detectFormat(firstLineOf(source))
  if (format !== undefined) return format
  throw new ImportUsageError(`the format of ${source.name} cannot be told from its first line; say it with --format`)
}

function firstLineOf({ head }: ByteSource): string {
  const end = head.indexOf(10)
  return head.subarray(0, end < 0 ? head.length : end).toString()
}
