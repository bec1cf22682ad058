/** What the fleet tests share: servers from the environment, a database, a folder for logs, an own Redis. All removed after. */
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after } from 'node:test'
import { createTestDatabase } from '@minutely/lib/postgres/test-database'
import { type ServerAddresses, Servers } from '../src/fleet/server-addresses.ts'

/** The Kafka and the registry of the environment, a Redis that may be flushed, a database that is empty. */
export async function takeServers(): Promise<ServerAddresses> {
  const { connection } = await createTestDatabase()
  const { user, password, host, port, database } = connection
  const servers = new Servers({
    own: ['redis'],
    given: { postgres: `postgres://${user}:${password}@${host}:${port}/${database}` },
  })
  started.push(servers)
  await servers.start()
  return servers.addresses
}

export async function takeLogFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'minutely-fleet-'))
  folders.push(folder)
  return folder
}

/** Lines of a service's log at level error or above, for a message. */
export async function errorsIn(logFile: string): Promise<string[]> {
  const text = await readFile(logFile, 'utf8')
  return text.split('\n').filter((line) => /"level":"(error|fatal)"/.test(line))
}

const started: Servers[] = []
const folders: string[] = []

// Registered when the test file loads: inside a test it would run when that test ends.
after(async () => {
  for (const servers of started) await servers.stop()
  for (const folder of folders) await rm(folder, { recursive: true, force: true })
})
