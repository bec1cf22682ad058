/**
 * The folder of the servers' data: one `npm run servers` at a time, kept or temporary.
 *
 * `servers.lock` in it holds the pids of its owner and of the owner's watchdog. An owner that was killed leaves servers
 * that the watchdog is still ending; the next start waits for that.
 */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'

const pollMs = 100
const dyingMs = 1000
const reportMs = 5000
const watchdogTimeoutMs = 20_000

/** Takes the folder, emptied if `isFresh`. `release` gives it back, and removes it if it is temporary. */
export async function takeDataFolder({ dataDir, isTemporary, isFresh, watchdog, onProgress }) {
  const folder = isTemporary ? mkdtempSync(join(tmpdir(), 'minutely-servers-')) : resolve(dataDir)
  if (isTemporary) watchdog.removeAtEnd(folder)
  mkdirSync(folder, { recursive: true })
  const lock = join(folder, 'servers.lock')
  for (let waitedMs = 0; !create(lock, watchdog.pid); waitedMs += pollMs)
    await waitForOwner({ folder, lock, waitedMs, onProgress })
  if (isFresh) {
    for (const name of readdirSync(folder)) if (folders.has(name)) rmSync(join(folder, name), { recursive: true })
  }
  for (const name of folders) mkdirSync(join(folder, name), { recursive: true })
  return {
    folder,
    release: () => rmSync(isTemporary ? folder : lock, { recursive: true, force: true, maxRetries: 5 }),
  }
}

/** All that the servers write, and so all that a fresh start removes: a mistyped --data-dir must cost nothing. */
const folders = new Set(['kafka', 'registry', 'redis', 'postgres', 'logs'])

async function waitForOwner({ folder, lock, waitedMs, onProgress }) {
  const [owner, watchdog] = read(lock)
  if (isAlive(owner)) {
    // A killed process still has its pid until its parent, or init, has noticed.
    if (waitedMs < dyingMs) return delay(pollMs)
    throw new Error(
      `the servers of ${folder} are running already (pid ${owner}). Stop them, or use another folder with --data-dir. ` +
        `If ${owner} is something else, remove ${lock}`,
    )
  }
  if (!isAlive(watchdog)) return rmSync(lock, { force: true })
  if (waitedMs > watchdogTimeoutMs) throw new Error(`pid ${watchdog} does not end. If it is not ours, remove ${lock}`)
  if (waitedMs % reportMs === 0) onProgress('Waiting for the end of the servers of an earlier, killed run')
  await delay(pollMs)
}

function create(lock, watchdogPid) {
  try {
    writeFileSync(lock, `${process.pid} ${watchdogPid}`, { flag: 'wx' })
    return true
  } catch (error) {
    if (error.code === 'EEXIST') return false
    throw error
  }
}

function read(lock) {
  try {
    return readFileSync(lock, 'utf8').split(' ').map(Number)
  } catch (error) {
    if (error.code === 'ENOENT') return []
    throw error
  }
}

function isAlive(pid) {
  if (!Number.isInteger(pid) || pid <= 0) return false
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return error.code === 'EPERM'
  }
}
