/**
 * Starts PostgreSQL on a cluster and waits until it answers and has our database: on the port it is told, or on a free one.
 * Recovery after a crash may take long and is waited for.
 */
import { createServer } from 'node:net'
import { dirname } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import pg from 'pg'
import { databaseUser, type EmbeddedCluster } from './embedded-cluster.ts'
import { host, type Postmaster, spawnPostmaster } from './embedded-postmaster.ts'
import { readPostmasterState, stopPostmaster } from './postmaster.ts'

export const database = 'minutely'
const pollMs = 20
const recoveryReportMs = 5000
/** Another program may take the free port before PostgreSQL does. */
const portAttemptsMax = 5
/** Backends of a server that was killed with -9 notice within a moment and hold its shared memory until then. */
const leftoverAttemptsMax = 40
const leftoverPauseMs = 250

export interface StartOptions {
  readonly onProgress: (message: string) => void
  /** A free one if absent. */
  readonly port?: number
  /** PostgreSQL settings that differ from ours. */
  readonly settings?: Readonly<Record<string, string>>
  /** Told of each attempt, so that a stop in the middle of one can end it. */
  readonly onSpawned?: (postmaster: Postmaster) => void
}

export function isDiskFull(words: string): boolean {
  return /no space left on device/i.test(words)
}

export async function endPostmaster(postmaster: Postmaster): Promise<void> {
  postmaster.expectEnd()
  if (!postmaster.hasExited()) await stopPostmaster(postmaster.pid, async () => postmaster.hasExited())
}

export async function startPostmaster(cluster: EmbeddedCluster, options: StartOptions): Promise<Postmaster> {
  let portAttempts = 1
  let leftoverAttempts = 1
  for (;;) {
    const port = options.port ?? (await findFreePort())
    const postmaster = spawnPostmaster(cluster, { port, settings: options.settings ?? {} })
    options.onSpawned?.(postmaster)
    try {
      await untilReady(cluster, postmaster, options.onProgress)
      await ensureDatabase(cluster, postmaster)
      return postmaster
    } catch (error) {
      await endPostmaster(postmaster)
      const words = postmaster.lastLines()
      const isPortTaken = options.port === undefined && /could not bind|Address already in use/.test(words)
      if (isPortTaken && portAttempts++ < portAttemptsMax) continue
      if (/pre-existing shared memory block/.test(words) && leftoverAttempts++ < leftoverAttemptsMax) {
        await delay(leftoverPauseMs)
        continue
      }
      throw error
    }
  }
}

/** No limit: recovery after a crash takes what it takes, and giving up would only start it over. */
async function untilReady(
  cluster: EmbeddedCluster,
  postmaster: Postmaster,
  onProgress: (message: string) => void,
): Promise<void> {
  for (let waitedMs = pollMs; ; waitedMs += pollMs) {
    if (postmaster.hasExited()) {
      const lastWords = await postmaster.ended
      // Never tell somebody whose disk is full to give up the data: it is all there.
      const advice = isDiskFull(lastWords)
        ? 'The disk is full: make room and start again; nothing that was acknowledged is lost'
        : `Mend what PostgreSQL complains about, or move ${dirname(cluster.clusterDir)} away to start with an empty one`
      throw new Error(`cannot start the database in ${cluster.clusterDir}. ${lastWords}\n${advice}`)
    }
    const state = await readPostmasterState(cluster.clusterDir)
    if (state?.pid === postmaster.pid && state.ready) return
    if (waitedMs % recoveryReportMs === 0) onProgress(`the database is recovering, ${waitedMs / 1000} s so far`)
    await delay(pollMs)
  }
}

async function ensureDatabase(cluster: EmbeddedCluster, postmaster: Postmaster): Promise<void> {
  const { password } = cluster
  const connection = { host, port: postmaster.port, user: databaseUser, password, database: 'postgres' }
  const admin = new pg.Client({ ...connection, ssl: false, connectionTimeoutMillis: 10_000 })
  try {
    await admin.connect()
    const found = await admin.query('select 1 from pg_database where datname = $1', [database])
    if (found.rowCount === 0) await admin.query(`create database ${database}`)
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new Error(
      `the database in ${cluster.clusterDir} started but refused us: ${reason}. ${postmaster.lastLines()}`,
      {
        cause,
      },
    )
  } finally {
    await admin.end().catch(() => {})
  }
}

async function findFreePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((listening, failed) => {
    server.once('error', failed)
    server.listen(0, host, listening)
  })
  const address = server.address()
  await new Promise((closed) => server.close(closed))
  if (address === null || typeof address === 'string') throw new Error('BUG: a TCP server has an address with a port')
  return address.port
}
