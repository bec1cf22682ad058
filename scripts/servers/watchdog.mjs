/**
 * Ends the servers when scripts/servers.mjs is killed and cannot do it itself.
 *
 * It runs in a session of its own and reads lines from that process: `+<pid>` to look after a process, `-<pid>` when
 * that one has ended, `remove <folder>` for what shall not stay. Its input ends when the process that writes it does,
 * however that dies. Then each pid that is left gets SIGTERM, after 8 s SIGKILL. Portable, unlike Linux's parent death
 * signal. If somebody kills the watchdog as well, the servers stay until they are stopped by hand.
 */
import { rmSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { setTimeout as delay } from 'node:timers/promises'

const graceMs = 8000
const pollMs = 100

const pids = new Set()
const folders = []
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => {})

for await (const line of createInterface({ input: process.stdin })) {
  if (line.startsWith('+')) pids.add(Number(line.slice(1)))
  else if (line.startsWith('-')) pids.delete(Number(line.slice(1)))
  else if (line.startsWith('remove ')) folders.push(line.slice('remove '.length))
}

for (const pid of pids) send(pid, 'SIGTERM')
for (let waitedMs = 0; waitedMs < graceMs && [...pids].some((pid) => send(pid, 0)); waitedMs += pollMs) {
  await delay(pollMs)
}
for (const pid of pids) send(pid, 'SIGKILL')
for (const folder of folders) rmSync(folder, { recursive: true, force: true, maxRetries: 5 })

/** False if there is no such process. */
function send(pid, signal) {
  try {
    return process.kill(pid, signal)
  } catch {
    return false
  }
}
