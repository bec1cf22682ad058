/** The PostgreSQL that comes with the dependencies, run by a process of its own (postgres-main.ts) with the Node it needs. */
import { mkdir } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { ensureInstalled } from '../install.mjs'
import { spawnServer } from './server-process.mjs'

const main = fileURLToPath(new URL('postgres-main.ts', import.meta.url))

export async function startPostgres({ folder, ports, watchdog, logFile }) {
  const node = await ensureInstalled()
  await mkdir(folder, { recursive: true })
  const args = [main, folder, String(ports[0])]
  const name = 'PostgreSQL'
  const process = spawnServer({ name, file: node, args, logFile: logFile(), watchdog, withChannel: true })
  const server = { processes: [process], address: undefined, ready: () => process.until(() => server.address) }
  process.onMessage(({ url, pid }) => Object.assign(server, { address: url, pids: [pid] }))
  return server
}
