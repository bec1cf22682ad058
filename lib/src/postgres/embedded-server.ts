/**
 * A private PostgreSQL server for a Minutely that was given none: made on the first start, stopped with its owner.
 *
 *   lock the data folder -> stop an orphan -> create the cluster (once) -> start -> it answers `select 1` -> resolve
 *
 * Invariants:
 * - It listens on 127.0.0.1 only, on a port that was free, and every connection needs the random password, which lies
 *   readable for the owner alone in the data folder. TCP, since a Unix socket's path may have 107 bytes only.
 * - It runs in a session of its own, so that Ctrl-C in a terminal reaches us but not it: only stop() ends it, after
 *   everything that uses it. If we are killed it is an orphan, which the next start stops (data-folder-lock.ts says
 *   why nobody else's server can be mistaken for one).
 * - fsync and synchronous_commit stay on: an acknowledged sample has to survive a power cut.
 */
import { createServer } from 'node:net'
import { dirname, resolve } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import pg from 'pg'
import { type DataFolderLock, lockDataFolder } from './data-folder-lock.ts'
import { databaseUser, type EmbeddedCluster, prepareCluster } from './embedded-cluster.ts'
import { host, type Postmaster, spawnPostmaster } from './embedded-postmaster.ts'
import { readPostmasterState, removeOrphan, stopPostmaster } from './postmaster.ts'

export interface EmbeddedServerOptions {
  readonly dataDir: string
  readonly onProgress: (message: string) => void
  /** A free one if absent. */
  readonly port?: number
  /** PostgreSQL settings that differ from ours. */
  readonly settings?: Readonly<Record<string, string>>
}

export interface EmbeddedServer {
  readonly connection: {
    readonly host: string
    readonly port: number
    readonly user: string
    readonly password: string
    readonly database: string
  }
  /** Idempotent. Takes as long as a checkpoint, at most about 8 s before it gets less polite. */
  stop(): Promise<void>
  /** Resolves, with PostgreSQL's last words, if the server ends by itself; never because of stop(). */
  readonly exited: Promise<string>
}

const database = 'minutely'
const pollMs = 20
const recoveryReportMs = 5000
/** Another program may take the free port before PostgreSQL does. */
const portAttemptsMax = 5
/** Backends of a server that was killed with -9 notice within a moment and hold its shared memory until then. */
const leftoverAttemptsMax = 40
const leftoverPauseMs = 250

export async function startEmbeddedServer(options: EmbeddedServerOptions): Promise<EmbeddedServer> {
  const dataDir = resolve(options.dataDir)
  const lock = await lockDataFolder(dataDir)
  try {
    const cluster = await prepareCluster(dataDir, options.onProgress)
    await removeOrphan(cluster.clusterDir, options.onProgress)
    const postmaster = await startPostmaster(cluster, options)
    return { ...describe(cluster, postmaster), stop: stopOnce(postmaster, lock) }
  } catch (error) {
    await lock.release()
    throw error
  }
}

function describe(cluster: EmbeddedCluster, postmaster: Postmaster): Omit<EmbeddedServer, 'stop'> {
  const { port, surprise } = postmaster
  return { connection: { host, port, user: databaseUser, password: cluster.password, database }, exited: surprise }
}

function stopOnce(postmaster: Postmaster, lock: DataFolderLock): () => Promise<void> {
  let stopping: Promise<void> | undefined
  return () => {
    stopping ??= endPostmaster(postmaster).finally(() => lock.release())
    return stopping
  }
}

async function endPostmaster(postmaster: Postmaster): Promise<void> {
  postmaster.expectEnd()
  if (!postmaster.hasExited()) await stopPostmaster(postmaster.pid, async () => postmaster.hasExited())
}

async function startPostmaster(cluster: EmbeddedCluster, options: EmbeddedServerOptions): Promise<Postmaster> {
  let portAttempts = 1
  let leftoverAttempts = 1
  for (;;) {
    const port = options.port ?? (await findFreePort())
    const postmaster = spawnPostmaster(cluster, { port, settings: options.settings ?? {} })
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
      const advice = /no space left on device/i.test(lastWords)
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
  const { connection } = describe(cluster, postmaster)
  const admin = new pg.Client({ ...connection, database: 'postgres', ssl: false, connectionTimeoutMillis: 10_000 })
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
