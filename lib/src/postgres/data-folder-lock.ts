/**
 * One live process per data folder.
 *
 * The lock is a write transaction that SQLite (built into Node) keeps open on `<dataDir>/minutely.lock`, that is: an
 * operating system lock on a byte of that file. The kernel drops it when its owner dies, however it dies, so there is
 * no stale lock to judge, no pid that may have been reused, no clock to trust and no window between "looks stale" and
 * "taken over" in which two processes could both win. It also holds between containers that share a folder.
 *
 * Invariants:
 * - Whoever holds the lock may treat every PostgreSQL process found in the folder as an orphan.
 * - Nothing else in this process opens minutely.lock: with POSIX locks, closing any descriptor of it would drop ours.
 * - minutely.pid only names the owner for humans; no decision is based on it.
 */
import { chmod, chown, mkdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'

export interface DataFolderLock {
  release(): Promise<void>
}

/** How messages call the owner, the folder and the setting that names it. */
export interface FolderWords {
  readonly owner: string
  readonly noun: string
  readonly setting: string
}

/** Another process has the folder. */
export class FolderInUseError extends Error {
  override readonly name = 'FolderInUseError'
}

const sqliteBusy = 5
const dataFolder: FolderWords = { owner: 'Minutely', noun: 'data folder', setting: 'MINUTELY_DATA_DIR' }

/** @throws FolderInUseError, or what keeps the folder from being made or locked. */
export async function lockDataFolder(dataDir: string, words: FolderWords = dataFolder): Promise<DataFolderLock> {
  const lockFile = join(dataDir, 'minutely.lock')
  const pidFile = join(dataDir, 'minutely.pid')
  await mkdir(dataDir, { recursive: true }).catch((cause: Error) => {
    throw new Error(`cannot create the ${words.noun}: ${cause.message}. Set ${words.setting} to a folder of your own`, {
      cause,
    })
  })
  const database = await acquire({ dataDir, lockFile, pidFile }, words)
  try {
    await writeFile(pidFile, `${process.pid}\n`).catch((error: NodeJS.ErrnoException) => {
      // A full disk must not keep a database from starting that has room held back.
      if (error.code !== 'ENOSPC') throw error
    })
    // Whoever may open the lock file could hold the lock and keep us out.
    await chmod(lockFile, 0o600)
    await giveToFolderOwner(dataDir, [lockFile, pidFile])
  } catch (error) {
    database.close()
    throw error
  }
  return {
    release: async () => {
      if (!database.isOpen) return
      await rm(pidFile, { force: true })
      database.close()
    },
  }
}

interface LockFiles {
  readonly dataDir: string
  readonly lockFile: string
  readonly pidFile: string
}

async function acquire({ dataDir, lockFile, pidFile }: LockFiles, words: FolderWords): Promise<DatabaseSync> {
  let database: DatabaseSync | undefined
  try {
    database = new DatabaseSync(lockFile, { timeout: 0 })
    // Nothing is ever written, so the journal need not be a file: the transaction takes the lock and stays open.
    database.exec('pragma journal_mode = memory; begin immediate')
    return database
  } catch (cause) {
    if (database?.isOpen) database.close()
    if (cause instanceof Error && 'errcode' in cause && cause.errcode === sqliteBusy) {
      const pid = await readOwner(pidFile)
      const advice = `stop it or set ${words.setting}`
      throw new FolderInUseError(`another ${words.owner}${pid} is using ${dataDir}; ${advice}`, { cause })
    }
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new Error(
      `cannot lock the ${words.noun} with ${lockFile}: ${reason}. The folder must be writable for this account and on a ` +
        `disk with file locks; otherwise set ${words.setting} to one that is`,
      { cause },
    )
  }
}

/** The owner writes its pid right after it has the lock, so a simultaneous start may find the file missing or old. */
async function readOwner(pidFile: string): Promise<string> {
  const pid = Number((await readFile(pidFile, 'utf8').catch(() => '')).trim())
  return Number.isInteger(pid) && pid > 0 ? ` (pid ${pid})` : ''
}

/** One start with sudo must not keep the folder's owner out afterwards. */
async function giveToFolderOwner(dataDir: string, files: readonly string[]): Promise<void> {
  if (process.getuid?.() !== 0) return
  const { uid, gid } = await stat(dataDir)
  if (uid === 0) return
  for (const file of files) await chown(file, uid, gid)
}
