/**
 * The database that history goes into: the one that MINUTELY_POSTGRES_URL names; else that of the data folder, whose Minutely runs; else that
 * of the data folder, started here for as long as the import takes.
 */
import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { startEmbeddedServer } from '@minutely/lib/postgres/embedded-server'
import type { PostgresConnection } from '@minutely/lib/postgres/pool'
import { findRunningServer } from '@minutely/lib/postgres/running-server'
import { SourceError } from './byte-source.ts'
import type { ImportStoreConfig } from './import-settings.ts'

export interface ImportStore {
  readonly connection: PostgresConnection
  /** For people. */
  readonly name: string
  /** Minutely may run on it meanwhile, and its live data comes first. */
  readonly mayBeLive: boolean
  stop(): Promise<void>
}

export async function openImportStore(
  { connection, dataDir }: ImportStoreConfig,
  deps: { readonly say: (line: string) => void },
): Promise<ImportStore> {
  if (connection !== undefined) {
    const name = `${connection.host}/${connection.database}`
    return { connection, name, mayBeLive: true, stop: async () => {} }
  }
  const folder = resolve(dataDir)
  const running = await findRunningServer(folder)
  const name = `the database of ${folder}`
  if (running !== undefined) return { ...running, name, mayBeLive: true, stop: async () => {} }
  if (!existsSync(join(folder, 'database'))) {
    throw new SourceError(
      `there is no database in ${folder}. Set MINUTELY_DATA_DIR to the data folder of Minutely, or MINUTELY_POSTGRES_URL to its database`,
    )
  }
  deps.say(`no Minutely runs on ${folder}: its database is started for the import`)
  const server = await startEmbeddedServer({ dataDir: folder, onProgress: deps.say })
  return { connection: server.connection, name, mayBeLive: false, stop: () => server.stop() }
}
