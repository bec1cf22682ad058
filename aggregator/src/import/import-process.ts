/** The import as a process: its store, its connections, its progress on standard error, and what is said when it fails. */
import type { Clock } from '@minutely/lib/clock'
import type { ConfigOf } from '@minutely/lib/config'
import type { Logger } from '@minutely/lib/logging'
import { migrate } from '@minutely/lib/postgres/migrate'
import { createPool } from '@minutely/lib/postgres/pool'
import type { RingConfig } from '@minutely/lib/recent-ring/ring-settings'
import type { AggregatorConfig } from '../config.ts'
import { SourceError } from './byte-source.ts'
import { CsvHeaderError } from './csv-header.ts'
import { runImport } from './import-command.ts'
import { ImportUsageError, importUsage, parseImportOptions } from './import-options.ts'
import { ImportProgress } from './import-progress.ts'
import type { ImportConfig, importStoreSettings } from './import-settings.ts'
import { openImportStore } from './import-store.ts'

/** One does the work, one looks up series. */
const connectionsMax = 2

export interface ImportProcessConfig {
  readonly import: ImportConfig
  readonly place: ConfigOf<typeof importStoreSettings>
  readonly aggregator: AggregatorConfig
  readonly ring: RingConfig
}

export interface ImportProcessDeps {
  readonly clock: Clock
  readonly log: Logger
  readonly stdin: NodeJS.ReadStream
  readonly stderr: NodeJS.WriteStream
}

export async function importHistory(
  args: readonly string[],
  config: ImportProcessConfig,
  { clock, log, stdin, stderr }: ImportProcessDeps,
): Promise<void> {
  const options = parseImportOptions(args)
  const say = (line: string): void => void stderr.write(`${line}\n`)
  const store = await openImportStore(config.place, { say })
  const pool = createPool(store.connection, { name: 'import', connectionsMax }, { log })
  try {
    await migrate(pool)
    const storeConfig = {
      ...config.import,
      ...config.aggregator,
      ringHours: config.ring.hours,
      ...(!store.mayBeLive && { liveLagMsMax: 0 }),
    }
    await runImport(options, storeConfig, {
      pool,
      clock,
      stdin,
      say,
      createProgress: (name, totalBytes) =>
        new ImportProgress(name, totalBytes, { clock, stream: stderr, isTerminal: stderr.isTTY === true }),
    })
  } finally {
    await pool.end()
    await store.stop()
  }
}

/** @returns the exit code: 2 for what was asked for, 1 for what could not be done. */
export function explainFailure(error: unknown, stderr: NodeJS.WriteStream): number {
  if (error instanceof ImportUsageError) {
    stderr.write(`${error.message}\n\n${importUsage}\n`)
    return 2
  }
  const isTheirs = error instanceof SourceError || error instanceof CsvHeaderError
  const advice = isTheirs ? '' : '\nWhat was imported stays; the same command goes on behind it.'
  stderr.write(`${(error as Error).message}${advice}\n`)
  return 1
}
