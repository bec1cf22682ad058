/**
 * `npm start`: installs and builds what is missing, then runs the one-process Minutely with the Node it needs.
 *
 * Ending it: the first SIGINT, SIGTERM or SIGHUP is passed on, later ones are not, and the exit code is the child's,
 * so a graceful stop is 0 and npm has nothing to complain about. Were this process killed, the IPC channel to the
 * child breaks and the child stops by itself. If npm is killed without a chance to tell us, our parent changes.
 */
import { spawn } from 'node:child_process'
import { constants } from 'node:os'
import { join } from 'node:path'
import { ensureDashboard } from './build-dashboard.mjs'
import { root } from './clone.mjs'
import { ensureInstalled } from './install.mjs'

const parentPollMs = 500

const parentPid = process.ppid
const node = await ensureInstalled()
await ensureDashboard(node)

const main = join(root, 'all-in-one', 'src', 'main.ts')
const child = spawn(node, [main, ...process.argv.slice(2)], { stdio: ['inherit', 'inherit', 'inherit', 'ipc'] })

let stopping = false
function stop(signal) {
  if (stopping) return
  stopping = true
  child.kill(signal)
}
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => stop(signal))

// Only under npm: started with node from a shell, outliving that shell is what people expect.
if (process.env.npm_lifecycle_event !== undefined) {
  setInterval(() => process.ppid !== parentPid && stop('SIGTERM'), parentPollMs).unref()
}

child.on('error', (error) => {
  console.error(`Minutely: cannot run ${node}: ${error.message}`)
  process.exitCode = 1
})
child.on('exit', (code, signal) => {
  // Ended by our signal before it could listen for signals: nothing was running yet.
  process.exitCode = code ?? (stopping ? 0 : 128 + (constants.signals[signal] ?? 0))
  if (code === null && !stopping) console.error(`Minutely: ended by ${signal}`)
})
