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
 * - When its disk is full it ends, and is started again on the same port until there is room (kept-postmaster.ts).
 * - fsync and synchronous_commit stay on: an acknowledged sample has to survive a power cut.
 */
import { resolve } from 'node:path'
import { lockDataFolder } from './data-folder-lock.ts'
import { databaseUser, prepareCluster } from './embedded-cluster.ts'
import { host } from './embedded-postmaster.ts'
import { KeptPostmaster } from './kept-postmaster.ts'
import { removeOrphan } from './postmaster.ts'
import { database, type StartOptions } from './start-postmaster.ts'

export interface EmbeddedServerOptions extends Omit<StartOptions, 'onSpawned'> {
  readonly dataDir: string
  /** Called before each start of PostgreSQL, which cannot start on a disk that is full. */
  readonly makeRoom?: () => Promise<void>
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
  /**
   * Resolves, with PostgreSQL's last words, if the server ends by itself for another reason than a full disk; never because of
   * stop(). */
  readonly exited: Promise<string>
}

export async function startEmbeddedServer(options: EmbeddedServerOptions): Promise<EmbeddedServer> {
  const dataDir = resolve(options.dataDir)
  const lock = await lockDataFolder(dataDir)
  try {
    const cluster = await prepareCluster(dataDir, options.onProgress)
    await removeOrphan(cluster.clusterDir, options.onProgress)
    const kept = new KeptPostmaster(cluster, options)
    const { port } = await kept.start()
    let stopping: Promise<void> | undefined
    return {
      connection: { host, port, user: databaseUser, password: cluster.password, database },
      exited: kept.exited,
      stop: () => {
        stopping ??= kept.stop().finally(() => lock.release())
        return stopping
      },
    }
  } catch (error) {
    await lock.release()
    throw error
  }
}
