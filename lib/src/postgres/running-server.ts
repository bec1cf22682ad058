/**
 * The embedded PostgreSQL of a data folder whose Minutely runs in another process, for commands that work beside it. Found by what
 * PostgreSQL writes into its cluster (line 4 of postmaster.pid is the port), believed only when that process is a postgres on this folder.
 */
import { readFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { databaseUser } from './embedded-cluster.ts'
import { host } from './embedded-postmaster.ts'
import type { PostgresConnection } from './pool.ts'
import { isPostmasterOf, readPostmasterState } from './postmaster.ts'
import { database } from './start-postmaster.ts'

export interface RunningServer {
  readonly connection: PostgresConnection
}

/** @returns undefined when none runs, or is not ready yet. */
export async function findRunningServer(dataDir: string): Promise<RunningServer | undefined> {
  const home = join(resolve(dataDir), 'database')
  const clusterDir = join(home, 'cluster')
  const state = await readPostmasterState(clusterDir)
  if (state?.ready !== true || !(await isPostmasterOf(state.pid, clusterDir))) return undefined
  const [password, pidFile] = await Promise.all([
    readFile(join(home, 'password'), 'utf8'),
    readFile(join(clusterDir, 'postmaster.pid'), 'utf8'),
  ])
  const port = Number(pidFile.split('\n')[3])
  if (!Number.isInteger(port) || port <= 0) return undefined
  return { connection: { host, port, user: databaseUser, password: password.trim(), database } }
}
