/**
 * Runs a long-lived program of loadtest/src that has the dashboard among what it starts. The first signal is passed on, later ones are
 * not; the exit code is the child's, so Ctrl-C ends with 0 where the program says so.
 */
import { spawn } from 'node:child_process'
import { constants } from 'node:os'
import { join } from 'node:path'
import { ensureDashboard } from './build-dashboard.mjs'
import { root } from './clone.mjs'
import { ensureInstalled } from './install.mjs'

/** @param {string} file of loadtest/src */
export async function runFleet(file) {
  const node = await ensureInstalled()
  await ensureDashboard(node)

  const main = join(root, 'loadtest', 'src', file)
  // The channel: were this process killed, the child stops by itself.
  const child = spawn(node, [main, ...process.argv.slice(2)], { stdio: ['inherit', 'inherit', 'inherit', 'ipc'] })

  let stopping = false
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
    process.on(signal, () => {
      if (!stopping) child.kill(signal)
      stopping = true
    })
  }
  child.on('error', (error) => {
    console.error(`Minutely: cannot run ${node}: ${error.message}`)
    process.exitCode = 1
  })
  child.on('exit', (code, signal) => {
    process.exitCode = code ?? 128 + (constants.signals[signal] ?? 0)
  })
}
