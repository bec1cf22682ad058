/**
 * For tests: one embedded Postgres per test file, in a temporary folder, and as many migrated databases in it as the file
 * wants. `after` hooks of node:test stop it.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after } from 'node:test'
import pino from 'pino'
import { startEmbeddedServer } from './embedded-server.ts'
import { migrate } from './migrate.ts'
import { createPool, type Pool, type PostgresConnection } from './pool.ts'

export const silentLog = pino({ level: 'silent' })

let starting: Promise<PostgresConnection> | undefined
let databaseCount = 0

/** A fresh database with the newest schema. */
export async function createTestDatabase(): Promise<{ connection: PostgresConnection; pool: Pool }> {
  starting ??= startServer()
  const server = await starting
  const admin = createPool(server, { name: 'test-admin', connectionsMax: 1 }, { log: silentLog })
  const database = `test_${++databaseCount}`
  await admin.query(`create database ${database}`)
  await admin.end()
  const connection = { ...server, database }
  const pool = createPool(connection, { name: 'test', connectionsMax: 10 }, { log: silentLog })
  await migrate(pool)
  openPools.add(pool)
  return { connection, pool }
}

const openPools = new Set<Pool>()
let stopServer: (() => Promise<void>) | undefined

async function startServer(): Promise<PostgresConnection> {
  const folder = await mkdtemp(join(tmpdir(), 'minutely-test-'))
  const server = await startEmbeddedServer({
    dataDir: join(folder, 'postgres'),
    onProgress: () => {},
    settings: { max_connections: '300' },
  })
  stopServer = async () => {
    await server.stop()
    await rm(folder, { recursive: true, force: true })
  }
  return server.connection
}

// Registered when the test file loads: inside a test it would run when that test ends.
after(async () => {
  for (const pool of openPools) await pool.end()
  await stopServer?.()
})
