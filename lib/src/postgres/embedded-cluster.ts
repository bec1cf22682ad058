/**
 * The files of the embedded database: `<dataDir>/database/cluster` (PostgreSQL's own) beside `password`.
 *
 * They come into being under another name and are renamed as the last step, so a folder called `database` is always
 * complete: a crash during the first start leaves only a `database.new-*`, which the next start removes. Its name is
 * random because an initdb may outlive the process that started it. Only the holder of the data folder's lock may
 * call this.
 */
import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { lchown, mkdir, open, readdir, readFile, rename, rm, stat } from 'node:fs/promises'
import { dirname, join, parse } from 'node:path'
import { promisify } from 'node:util'
import { choosePostgresAccount, type PostgresAccount } from './embedded-account.ts'
import { locateEmbeddedBinaries } from './embedded-binaries.ts'

export const databaseUser = 'minutely'

export interface EmbeddedCluster {
  readonly clusterDir: string
  readonly password: string
  readonly account: PostgresAccount
  readonly postgres: string
}

export async function prepareCluster(dataDir: string, onProgress: (message: string) => void): Promise<EmbeddedCluster> {
  const binaries = await locateEmbeddedBinaries()
  const home = join(dataDir, 'database')
  const found = await stat(home).catch((error: unknown) => {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
    throw error
  })
  const clusterOwner = found && { uid: found.uid, gid: found.gid }
  const account = await choosePostgresAccount({ dataDir, postgres: binaries.postgres, clusterOwner })
  await removeUnfinished(dataDir)
  if (found === undefined) {
    onProgress(`creating the database in ${home} (first start only)`)
    await createCluster(home, { initdb: binaries.initdb, account })
  } else if (process.getuid?.() === 0 && account.owner !== undefined && account.owner.uid !== found.uid) {
    onProgress(`changing the owner of ${home} from uid ${found.uid} to uid ${account.owner.uid}`)
    await changeOwner(home, account.owner)
  }
  const password = await readPassword(home)
  return { clusterDir: join(home, 'cluster'), password, account, postgres: binaries.postgres }
}

async function createCluster(
  home: string,
  deps: { readonly initdb: string; readonly account: PostgresAccount },
): Promise<void> {
  const { initdb, account } = deps
  const unfinished = `${home}.new-${randomBytes(4).toString('hex')}`
  const passwordFile = join(unfinished, 'password')
  await mkdir(unfinished, { mode: 0o700 })
  await writeDurably(passwordFile, `${randomBytes(24).toString('base64url')}\n`)
  if (process.getuid?.() === 0 && account.owner !== undefined) await changeOwner(unfinished, account.owner)

  const flags = ['--encoding=UTF8', '--no-locale', '--data-checksums', '--no-instructions', '--auth=scram-sha-256']
  const folder = ['-D', join(unfinished, 'cluster'), `--username=${databaseUser}`, `--pwfile=${passwordFile}`]
  const [file = initdb, ...args] = [...account.prefix, initdb, ...folder, ...flags]
  try {
    await promisify(execFile)(file, args, { cwd: parse(home).root, ...account.spawnAs })
  } catch (cause) {
    await rm(unfinished, { recursive: true, force: true })
    const words = cause instanceof Error && 'stderr' in cause ? String(cause.stderr).trim() : String(cause)
    const hint = words.includes('could not look up effective user ID')
      ? '\nGive this uid an entry in /etc/passwd, or run as a user that has one'
      : ''
    throw new Error(`cannot create the database in ${home}; initdb said:\n${words}${hint}`, { cause })
  }
  await rename(unfinished, home)
  await syncFolder(dirname(home))
}

async function readPassword(home: string): Promise<string> {
  try {
    return (await readFile(join(home, 'password'), 'utf8')).trim()
  } catch (cause) {
    throw new Error(
      `cannot read the database password in ${join(home, 'password')}. Restore that file, or move ${home} away to ` +
        'start with an empty database',
      { cause },
    )
  }
}

async function removeUnfinished(dataDir: string): Promise<void> {
  for (const name of await readdir(dataDir)) {
    if (/^(database\.new|probe)-/.test(name)) await rm(join(dataDir, name), { recursive: true, force: true })
  }
}

/** The top folder last: it is the one that is looked at, so a walk that was cut short is done again. */
async function changeOwner(path: string, owner: { readonly uid: number; readonly gid: number }): Promise<void> {
  for (const entry of await readdir(path, { withFileTypes: true })) {
    const child = join(path, entry.name)
    if (entry.isDirectory()) await changeOwner(child, owner)
    else await lchown(child, owner.uid, owner.gid)
  }
  await lchown(path, owner.uid, owner.gid)
}

async function writeDurably(path: string, text: string): Promise<void> {
  const file = await open(path, 'wx', 0o600)
  await file.writeFile(text)
  await file.sync()
  await file.close()
}

/** Without it a power cut could take the rename back. Windows cannot open folders and needs no sync. */
async function syncFolder(path: string): Promise<void> {
  if (process.platform === 'win32') return
  const folder = await open(path, 'r')
  await folder.sync()
  await folder.close()
}
