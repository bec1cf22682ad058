/**
 * One PostgreSQL server process of ours: how it is spawned, with which settings, and what it said last.
 *
 * Its output goes to a pipe and not to a file: of an endless stream of complaints the last 60 lines are kept, in memory,
 * for the error message of a failed start or an unexpected end.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { parse } from 'node:path'
import { createInterface } from 'node:readline'
import type { EmbeddedCluster } from './embedded-cluster.ts'

export const host = '127.0.0.1'
const linesKept = 60
const lineLengthMax = 500

export interface Postmaster {
  readonly pid: number
  readonly port: number
  readonly hasExited: () => boolean
  /** Resolves when the process has ended and all of its output is read. */
  readonly ended: Promise<string>
  /** From here on its end is no surprise. */
  expectEnd(): void
  readonly surprise: Promise<string>
  readonly lastLines: () => string
}

/** Minute upserts and COPY on a small machine: few connections, few and compressed checkpoints, nothing relaxed. */
const defaultSettings: Readonly<Record<string, string>> = {
  fsync: 'on',
  synchronous_commit: 'on',
  full_page_writes: 'on',
  shared_buffers: '256MB',
  work_mem: '16MB',
  maintenance_work_mem: '128MB',
  max_connections: '50',
  max_wal_size: '2GB',
  checkpoint_timeout: '15min',
  // pglz: these binaries have neither lz4 nor zstd.
  wal_compression: 'pglz',
  autovacuum: 'on',
  jit: 'off',
  random_page_cost: '1.1',
  // Parallel queries need /dev/shm, of which containers have 64 MB by default, and the cores are needed for folding.
  max_parallel_workers_per_gather: '0',
  timezone: 'UTC',
  log_timezone: 'UTC',
  log_checkpoints: 'off',
  logging_collector: 'off',
}

export function spawnPostmaster(
  cluster: EmbeddedCluster,
  options: { readonly port: number; readonly settings: Readonly<Record<string, string>> },
): Postmaster {
  const settings = {
    ...defaultSettings,
    ...options.settings,
    listen_addresses: host,
    port: String(options.port),
    unix_socket_directories: '',
  }
  const flags = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])
  const { account, postgres, clusterDir } = cluster
  const [file = postgres, ...args] = [...account.prefix, postgres, '-D', clusterDir, ...flags]
  const child = spawn(file, args, {
    cwd: parse(clusterDir).root,
    stdio: ['ignore', 'ignore', 'pipe'],
    detached: true,
    ...account.spawnAs,
  })
  return watch(child, options.port)
}

function watch(child: ChildProcess, port: number): Postmaster {
  const lines: string[] = []
  const keep = (line: string) => {
    lines.push(line.slice(0, lineLengthMax))
    if (lines.length > linesKept) lines.shift()
  }
  if (child.stderr !== null) createInterface({ input: child.stderr }).on('line', keep)
  child.on('error', (error) => keep(error.message))
  const lastLines = () => lines.join('\n')

  let expected = false
  const ended = new Promise<string>((done) => {
    child.on('close', (code, signal) => done(`PostgreSQL ended (${signal ?? `exit code ${code}`}):\n${lastLines()}`))
  })
  const surprise = new Promise<string>((done) => {
    ended.then((words) => {
      if (!expected) done(words)
    })
  })
  return {
    pid: child.pid ?? 0,
    port,
    hasExited: () => child.pid === undefined || child.exitCode !== null || child.signalCode !== null,
    ended,
    expectEnd: () => {
      expected = true
    },
    surprise,
    lastLines,
  }
}
