/**
 * The running PostgreSQL server process (the "postmaster") of a cluster folder: is there one, and how is it stopped.
 *
 * PostgreSQL writes its pid into `postmaster.pid`, and the file survives a crash or a power cut. Its pid may since
 * belong to an unrelated program, which must not be signalled and which must not keep PostgreSQL from starting (it
 * refuses while a process of that pid exists). So a pid counts only if its command line is a postgres on this folder.
 * A mistake in the other direction is harmless: PostgreSQL's shared memory interlock refuses a second server.
 */

import { execFile } from 'node:child_process'
import { readFile, rm, stat } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { promisify } from 'node:util'

/** SIGINT rolls back and checkpoints, SIGQUIT drops everything and leaves recovery to the next start; both lose nothing. */
const shutdownSteps = [
  { signal: 'SIGINT', graceMs: 8000 },
  // An immediate shutdown gives its children 5 s before it kills them.
  { signal: 'SIGQUIT', graceMs: 7000 },
  { signal: 'SIGKILL', graceMs: 3000 },
] as const
const pollMs = 20

export interface PostmasterState {
  readonly pid: number
  readonly ready: boolean
}

/** Reads `postmaster.pid`: line 1 is the pid, line 8 the status ("starting", "ready   ", ...), absent at first. */
export async function readPostmasterState(clusterDir: string): Promise<PostmasterState | undefined> {
  const text = await readFile(join(clusterDir, 'postmaster.pid'), 'utf8').catch(ignoreMissing)
  const lines = text?.split('\n') ?? []
  const pid = Number(lines[0])
  if (!Number.isInteger(pid) || pid <= 1) return undefined
  return { pid, ready: lines[7]?.trim() === 'ready' }
}

/**
 * Stops a server whose owner died, and removes what it may have left. Only for the holder of the data folder's lock:
 * it relies on no live process owning that server.
 */
export async function removeOrphan(clusterDir: string, onProgress: (message: string) => void): Promise<void> {
  const state = await readPostmasterState(clusterDir)
  if (state !== undefined && (await isPostmasterOf(state.pid, clusterDir))) {
    onProgress(`stopping the PostgreSQL that an earlier, killed Minutely left behind (pid ${state.pid})`)
    await stopPostmaster(state.pid, async () => !(await isPostmasterOf(state.pid, clusterDir)))
  }
  await rm(join(clusterDir, 'postmaster.pid'), { force: true })
}

/** Asks ever less politely, each step for a bounded time; resolves when `isGone` does. */
export async function stopPostmaster(pid: number, isGone: () => Promise<boolean>): Promise<void> {
  for (const { signal, graceMs } of shutdownSteps) {
    sendSignal(pid, signal)
    for (let waitedMs = 0; waitedMs < graceMs; waitedMs += pollMs) {
      if (await isGone()) return
      await delay(pollMs)
    }
  }
  throw new Error(`PostgreSQL (pid ${pid}) does not stop, not even after SIGKILL; its disk may be hanging`)
}

function sendSignal(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal)
  } catch (cause) {
    if (codeOf(cause) === 'ESRCH') return
    throw new Error(`may not stop PostgreSQL (pid ${pid}); stop it with the account it runs as`, { cause })
  }
}

export async function isPostmasterOf(pid: number, clusterDir: string): Promise<boolean> {
  if (process.platform === 'win32') return false
  if (process.platform !== 'linux') {
    const { stdout } = await promisify(execFile)('ps', ['-ww', '-o', 'command=', '-p', String(pid)]).catch(() => ({
      stdout: '',
    }))
    return stdout.includes('postgres') && stdout.includes(` -D ${clusterDir}`)
  }
  // A zombie's command line is empty, so it counts as gone.
  const args = (await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')).split('\0')
  const folder = args[args.indexOf('-D') + 1]
  if (basename(args[0] ?? '') !== 'postgres' || folder === undefined) return false
  return isSameFolder(folder, clusterDir)
}

/** By inode: the server may have been started through a symbolic link or another mount of the same folder. */
async function isSameFolder(a: string, b: string): Promise<boolean> {
  const [first, second] = await Promise.all([stat(a).catch(ignoreMissing), stat(b).catch(ignoreMissing)])
  return first !== undefined && first.ino === second?.ino && first.dev === second.dev
}

function ignoreMissing(error: unknown): undefined {
  if (codeOf(error) === 'ENOENT' || codeOf(error) === 'ENOTDIR') return undefined
  throw error
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined
}
