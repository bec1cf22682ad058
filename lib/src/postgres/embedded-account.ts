/**
 * As whom PostgreSQL runs. It refuses root, so a Minutely that runs as root has to find another way:
 *
 *   1. an unprivileged account that exists (initdb looks its uid up), when that account reaches our folders by itself;
 *   2. the same, keeping one capability that lets it pass closed parents such as root's 0700 home. DAC_READ_SEARCH is
 *      the smaller one; containers often grant only DAC_OVERRIDE. The securebit NO_SETUID_FIXUP is needed because
 *      access(2), with which PostgreSQL checks its own program, otherwise ignores capabilities;
 *   3. a user namespace in which our root has an unprivileged uid: files stay root's. Docker forbids it by default.
 *
 * Each way is tried for real, in the data folder, before it is chosen. The account that owns an existing cluster comes
 * first, so that a folder made by an ordinary user and started once with sudo stays that user's. An ordinary user just
 * runs PostgreSQL. `uid` and `gid` are the ones the cluster's files must have, as seen by this process.
 */
import { execFile } from 'node:child_process'
import { chown, mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)

export interface PostgresAccount {
  /** Absent where there are no uids (Windows). */
  readonly owner?: { readonly uid: number; readonly gid: number }
  /** What stands before the program on the command line; its last link is an exec, so the pid stays the same. */
  readonly prefix: readonly string[]
  /** For spawn: the account to switch to before the exec. */
  readonly spawnAs: { readonly uid?: number; readonly gid?: number }
}

interface Candidate extends PostgresAccount {
  readonly description: string
}

export interface AccountQuestion {
  readonly dataDir: string
  readonly postgres: string
  /** Who owns the cluster's files today, if there are any. */
  readonly clusterOwner: { readonly uid: number; readonly gid: number } | undefined
}

export async function choosePostgresAccount(question: AccountQuestion): Promise<PostgresAccount> {
  const uid = process.getuid?.()
  const gid = process.getgid?.()
  const lastWish = await dieWithParent()
  if (uid === undefined || gid === undefined) return { prefix: [], spawnAs: {} }
  if (uid !== 0) return ordinaryAccount(question, { owner: { uid, gid }, prefix: lastWish, spawnAs: {} })

  const refusals: string[] = []
  for (const candidate of await candidatesForRoot(question.clusterOwner)) {
    const account = { ...candidate, prefix: [...candidate.prefix, ...lastWish] }
    const refusal = await tryAccount(question, account)
    if (refusal === undefined) return account
    refusals.push(`- ${candidate.description}: ${refusal}`)
  }
  throw new Error(
    `PostgreSQL refuses to run as root, and no other way worked for ${question.dataDir}:\n${refusals.join('\n')}\n` +
      'Start Minutely as an ordinary user that owns the data folder, with the program where that user can read it ' +
      '(in a container: USER node)',
  )
}

async function ordinaryAccount(question: AccountQuestion, account: PostgresAccount): Promise<PostgresAccount> {
  const { clusterOwner } = question
  if (clusterOwner !== undefined && clusterOwner.uid !== account.owner?.uid) {
    throw new Error(
      `the database in ${question.dataDir} belongs to uid ${clusterOwner.uid}, but this is uid ${account.owner?.uid}. ` +
        'Start Minutely as before, or stop it and change the owner of the folder (sudo chown -R), or set ' +
        'MINUTELY_DATA_DIR to a folder of your own',
    )
  }
  const refusal = await tryAccount(question, account)
  if (refusal === undefined) return account
  throw new Error(`PostgreSQL cannot run here: ${refusal}. If its files are damaged or incomplete, run "npm ci" again`)
}

async function candidatesForRoot(clusterOwner: AccountQuestion['clusterOwner']): Promise<Candidate[]> {
  if (process.platform !== 'linux') return []
  const unprivileged = (await findAccount('nobody')) ?? (await findAccount('daemon'))
  const accounts = clusterOwner !== undefined && clusterOwner.uid !== 0 ? [clusterOwner] : []
  if (unprivileged !== undefined && unprivileged.uid !== clusterOwner?.uid) accounts.push(unprivileged)

  const candidates = accounts.flatMap(switchTo)
  if (unprivileged === undefined) return candidates
  const { uid, gid } = unprivileged
  candidates.push({
    description: 'a user namespace',
    owner: { uid: 0, gid: 0 },
    prefix: ['unshare', '--user', `--map-user=${uid}`, `--map-group=${gid}`],
    spawnAs: {},
  })
  return candidates
}

function switchTo(owner: { readonly uid: number; readonly gid: number }): Candidate[] {
  const { uid, gid } = owner
  const switching = ['setpriv', `--reuid=${uid}`, `--regid=${gid}`, '--clear-groups', '--securebits=+no_setuid_fixup']
  return [
    { description: `uid ${uid}`, owner, prefix: [], spawnAs: { uid, gid } },
    ...['dac_read_search', 'dac_override'].map((capability) => ({
      description: `uid ${uid} with the capability ${capability}`,
      owner,
      prefix: [...switching, `--inh-caps=-all,+${capability}`, `--ambient-caps=-all,+${capability}`],
      spawnAs: {},
    })),
  ]
}

async function findAccount(name: string): Promise<{ uid: number; gid: number } | undefined> {
  try {
    const [uid, gid] = await Promise.all([run('id', ['-u', name]), run('id', ['-g', name])])
    return { uid: Number(uid.stdout), gid: Number(gid.stdout) }
  } catch {
    return undefined
  }
}

/** Lets PostgreSQL read a configuration in a folder like the real one; that needs all it needs later. */
async function tryAccount(question: AccountQuestion, account: PostgresAccount): Promise<string | undefined> {
  const { dataDir, postgres } = question
  const probe = join(dataDir, `probe-${process.pid}`)
  try {
    await mkdir(probe, { mode: 0o700 })
    await writeFile(join(probe, 'postgresql.conf'), '', { mode: 0o600 })
    if (account.owner !== undefined && process.getuid?.() === 0) {
      await chown(join(probe, 'postgresql.conf'), account.owner.uid, account.owner.gid)
      await chown(probe, account.owner.uid, account.owner.gid)
    }
    const [file = postgres, ...args] = [...account.prefix, postgres, '-D', probe, '-C', 'port']
    await run(file, args, { cwd: '/', ...account.spawnAs })
    return undefined
  } catch (error) {
    if (error instanceof Error && 'stderr' in error && error.stderr) return String(error.stderr).trim()
    return error instanceof Error ? error.message : String(error)
  } finally {
    await removeProbe(probe)
  }
}

/** A root without DAC_OVERRIDE may not even look into a folder that it gave away. */
async function removeProbe(probe: string): Promise<void> {
  const [uid, gid] = [process.getuid?.(), process.getgid?.()]
  if (uid === 0 && gid !== undefined) await chown(probe, uid, gid).catch(() => {})
  await rm(probe, { recursive: true, force: true })
}

/** Where util-linux is there, PostgreSQL stops by itself when our process is killed. Nothing relies on it. */
async function dieWithParent(): Promise<readonly string[]> {
  const prefix = ['--pdeathsig', 'INT']
  return run('setpriv', [...prefix, 'true']).then(
    () => ['setpriv', ...prefix],
    () => [],
  )
}
