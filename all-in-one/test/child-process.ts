/**
 * The embedded process as a user runs it: a child with a data folder, to be asked over HTTP, stopped, or killed.
 * Whatever a test leaves running is killed when the test file ends.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after } from 'node:test'
import { fileURLToPath } from 'node:url'

const mainFile = fileURLToPath(new URL('../src/main.ts', import.meta.url))
const listeningPattern = /listening on (http:\S+)/

export interface EmbeddedChild {
  readonly url: string
  readonly pid: number
  /** Its exit code, or null after a signal. */
  readonly exited: Promise<number | null>
  /** All it has written so far. */
  readonly output: () => string
  /** SIGTERM, then its exit code. */
  stop(): Promise<number | null>
  /** kill -9 of the process itself; its Postgres lives on as an orphan. */
  kill(): Promise<void>
}

const running = new Set<ChildProcess>()
const folders = new Set<string>()

export async function temporaryFolder(name = 'minutely-test-'): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), name))
  folders.add(folder)
  return folder
}

/** Resolves when it listens; rejects with its output when it ends before. */
export async function startChild(
  dataDir: string,
  settings: Readonly<Record<string, string>> = {},
): Promise<EmbeddedChild> {
  const env = {
    ...process.env,
    MINUTELY_DATA_DIR: dataDir,
    MINUTELY_PORT: '0',
    MINUTELY_LOCAL_AGENT: 'off',
    ...settings,
  }
  const child = spawn(process.execPath, [mainFile], { env, stdio: ['ignore', 'pipe', 'pipe'] })
  running.add(child)
  let output = ''
  const listening = Promise.withResolvers<string>()
  const collect = (chunk: Buffer): void => {
    output += chunk.toString()
    const url = listeningPattern.exec(output)?.[1]
    if (url !== undefined) listening.resolve(url)
  }
  child.stdout.on('data', collect)
  child.stderr.on('data', collect)
  const exited = once(child, 'exit').then(([code]) => {
    running.delete(child)
    listening.reject(new Error(`ended with ${code} before it listened:\n${output}`))
    return code as number | null
  })
  const url = await listening.promise
  return {
    url,
    pid: child.pid ?? 0,
    exited,
    output: () => output,
    stop: async () => {
      child.kill('SIGTERM')
      return exited
    },
    kill: async () => {
      child.kill('SIGKILL')
      await exited
    },
  }
}

after(async () => {
  for (const child of running) child.kill('SIGKILL')
  for (const folder of folders) {
    await killOrphan(folder)
    await rm(folder, { recursive: true, force: true })
  }
})

/** The Postgres that a killed child left behind, by the pid in its own lock file. */
async function killOrphan(folder: string): Promise<void> {
  const file = join(folder, 'database', 'cluster', 'postmaster.pid')
  const pid = Number((await readFile(file, 'utf8').catch(() => '')).split('\n')[0])
  if (!(pid > 1)) return
  const commandLine = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')
  if (commandLine.includes(folder)) process.kill(pid, 'SIGQUIT')
}
