/**
 * `postgres-main.ts <folder> <port>`: runs our embedded PostgreSQL on that port until SIGTERM, or until the process that
 * started it ends. That one is told the URL, password included, by an IPC message.
 */
import { join } from 'node:path'
import { startEmbeddedServer } from '@minutely/lib/postgres/embedded-server'
import { readPostmasterState } from '@minutely/lib/postgres/postmaster'

const [dataDir = '', port = ''] = process.argv.slice(2)
const stopRequested = new Promise<void>((stop) => {
  process.on('SIGTERM', stop)
  process.on('disconnect', stop)
})

const server = await startEmbeddedServer({
  dataDir,
  port: Number(port),
  onProgress: (message) => console.log(message),
  settings: { max_connections: '200' },
})
const { user, password, host, database } = server.connection
const state = await readPostmasterState(join(dataDir, 'database', 'cluster'))
if (process.connected) {
  process.send?.({ url: `postgres://${user}:${password}@${host}:${port}/${database}`, pid: state?.pid })
}
const surprise = process.connected ? await Promise.race([stopRequested, server.exited]) : undefined
if (typeof surprise === 'string') console.error(surprise)
await server.stop()
process.exit(typeof surprise === 'string' ? 1 : 0)
