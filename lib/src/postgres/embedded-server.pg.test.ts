/**
 * The embedded server's life and deaths. Owners that have to die run in child processes; nothing here waits for time,
 * only for what a process says or for its end.
 */
import assert from 'node:assert/strict'
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, chown, mkdir, mkdtemp, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { text } from 'node:stream/consumers'
import { type TestContext, test } from 'node:test'
import { promisify } from 'node:util'
import pg from 'pg'
import { type EmbeddedServer, startEmbeddedServer } from './embedded-server.ts'
import { readPostmasterState } from './postmaster.ts'

const run = promisify(execFile)
const isRoot = process.getuid?.() === 0
const onlyRoot = isRoot ? false : 'needs root: this checks how root gets PostgreSQL to run'

type Connection = EmbeddedServer['connection']

test('data survives stop and start', async (t) => {
  const dataDir = await temporaryFolder(t)
  const first = await start(t, dataDir)
  await query(first.connection, 'create table kept as select 42 as n')
  await first.stop()
  await first.stop()

  const second = await start(t, dataDir)
  assert.deepEqual(await query(second.connection, 'select n from kept'), [{ n: 42 }])
})

test('a path with a space, longer than a Unix socket could be', async (t) => {
  const dataDir = join(await temporaryFolder(t), 'a folder of mine', 'x'.repeat(120))
  const server = await start(t, dataDir)
  assert.deepEqual(await query(server.connection, 'select 1 as n'), [{ n: 1 }])
})

test('only loopback, only with the password, with checksums and our settings', async (t) => {
  const dataDir = await temporaryFolder(t)
  const server = await startEmbeddedServer({ dataDir, onProgress: () => {}, settings: { max_connections: '17' } })
  cleanUp(t, () => server.stop())
  await assert.rejects(query({ ...server.connection, password: 'guessed' }, 'select 1'), { code: '28P01' })
  const names = [
    'data_checksums',
    'fsync',
    'listen_addresses',
    'max_connections',
    'server_encoding',
    'synchronous_commit',
  ]
  const settings = names.map((name) => `current_setting('${name}') as ${name}`).join(', ')
  assert.deepEqual(await query(server.connection, `select ${settings}`), [
    {
      data_checksums: 'on',
      fsync: 'on',
      listen_addresses: '127.0.0.1',
      max_connections: '17',
      server_encoding: 'UTF8',
      synchronous_commit: 'on',
    },
  ])
  assert.equal((await stat(join(dataDir, 'database', 'password'))).mode & 0o777, 0o600)
  assert.equal((await stat(join(dataDir, 'database'))).mode & 0o777, 0o700)
})

test('a second start on a folder in use fails and names the owner', async (t) => {
  const dataDir = await temporaryFolder(t)
  const owner = await startOwner(t, dataDir)
  await assert.rejects(start(t, dataDir), {
    message: `another Minutely (pid ${owner.process.pid}) is using ${dataDir}; stop it or set MINUTELY_DATA_DIR`,
  })
  assert.deepEqual(await query(owner.connection, 'select 1 as n'), [{ n: 1 }])
})

test('a second start within the same process fails too', async (t) => {
  const dataDir = await temporaryFolder(t)
  const server = await start(t, dataDir)
  await assert.rejects(start(t, dataDir), /another Minutely \(pid \d+\) is using/)
  await server.stop()
  await start(t, dataDir)
})

test('of two simultaneous first starts exactly one wins', async (t) => {
  const dataDir = await temporaryFolder(t)
  const outcomes = await Promise.allSettled([startOwner(t, dataDir), startOwner(t, dataDir)])
  const failures = outcomes.filter((outcome) => outcome.status === 'rejected')
  assert.equal(failures.length, 1)
  assert.match(String(failures[0]?.reason), /another Minutely/)
})

test('the server of a killed owner is stopped and its data kept', async (t) => {
  const dataDir = await temporaryFolder(t)
  const owner = await startOwner(t, dataDir)
  await query(owner.connection, 'create table kept as select 42 as n')
  const orphanPid = await postmasterPid(dataDir)
  // Frozen, it cannot stop by itself when its owner dies, as it would on a machine without setpriv's help.
  process.kill(orphanPid, 'SIGSTOP')
  await kill(owner.process)

  const messages: string[] = []
  const server = await startEmbeddedServer({
    dataDir,
    onProgress: (message) => {
      messages.push(message)
      if (message.includes('left behind')) process.kill(orphanPid, 'SIGCONT')
    },
  })
  cleanUp(t, () => server.stop())
  assert.ok(messages.some((message) => message.includes(`left behind (pid ${orphanPid})`)))
  assert.deepEqual(await query(server.connection, 'select n from kept'), [{ n: 42 }])
})

test('owner and server killed at once: the next start recovers', async (t) => {
  const dataDir = await temporaryFolder(t)
  const owner = await startOwner(t, dataDir)
  await query(owner.connection, 'create table kept as select 42 as n')
  process.kill(await postmasterPid(dataDir), 'SIGKILL')
  await kill(owner.process)

  const server = await start(t, dataDir)
  assert.deepEqual(await query(server.connection, 'select n from kept'), [{ n: 42 }])
})

test('a stale postmaster.pid with the pid of an unrelated process neither blocks nor harms', async (t) => {
  const dataDir = await temporaryFolder(t)
  const owner = await startOwner(t, dataDir)
  const pidFile = join(dataDir, 'database', 'cluster', 'postmaster.pid')
  const postmasterPidText = await readFile(pidFile, 'utf8')
  await owner.stop()
  const { uid, gid } = await stat(join(dataDir, 'database'))
  // Of the same account, or PostgreSQL would ignore it anyway.
  const unrelated = spawn('tail', ['-f', '/dev/null'], { stdio: 'ignore', ...(isRoot ? { uid, gid } : {}) })
  cleanUp(t, () => kill(unrelated))
  await writeFile(pidFile, postmasterPidText.replace(/^\d+/, String(unrelated.pid)), { mode: 0o600 })
  await chown(pidFile, uid, gid)

  await start(t, dataDir)
  assert.equal(unrelated.exitCode ?? unrelated.signalCode, null)
})

test('what an interrupted first start left is removed', async (t) => {
  const dataDir = await temporaryFolder(t)
  await mkdir(join(dataDir, 'database.new-0badcafe', 'cluster'), { recursive: true })
  await start(t, dataDir)
  assert.deepEqual((await readdir(dataDir)).sort(), ['database', 'minutely.lock', 'minutely.pid'])
})

test('a broken cluster fails with what PostgreSQL says and what to do, and frees the folder', async (t) => {
  const dataDir = await temporaryFolder(t)
  await (await start(t, dataDir)).stop()
  const controlFile = join(dataDir, 'database', 'cluster', 'global', 'pg_control')
  await rename(controlFile, `${controlFile}.away`)
  await assert.rejects(
    start(t, dataDir),
    /cannot start the database in .*could not find the database system.*move .* away/s,
  )
  await rename(`${controlFile}.away`, controlFile)
  await start(t, dataDir)
})

test('a lost password file is named', async (t) => {
  const dataDir = await temporaryFolder(t)
  await (await start(t, dataDir)).stop()
  await rm(join(dataDir, 'database', 'password'))
  await assert.rejects(start(t, dataDir), /cannot read the database password in .*Restore that file/)
})

test('Ctrl-C in a terminal does not reach the server: it has a session of its own', async (t) => {
  if (process.platform !== 'linux') return t.skip('needs /proc')
  const dataDir = await temporaryFolder(t)
  await start(t, dataDir)
  const pid = await postmasterPid(dataDir)
  const fieldsAfterName = (await readFile(`/proc/${pid}/stat`, 'utf8')).split(') ')[1]?.split(' ')
  assert.equal(fieldsAfterName?.[3], String(pid))
})

test('exited tells that the server died by itself', async (t) => {
  const dataDir = await temporaryFolder(t)
  const server = await start(t, dataDir)
  process.kill(await postmasterPid(dataDir), 'SIGKILL')
  assert.match(await server.exited, /PostgreSQL ended \(SIGKILL\)/)
  await server.stop()
})

test('root in a folder closed to others', { skip: onlyRoot }, async (t) => {
  const dataDir = await closedFolder(t)
  const server = await start(t, dataDir)
  assert.deepEqual(await query(server.connection, 'select 1 as n'), [{ n: 1 }])
})

const dockerCapabilities =
  'chown,dac_override,fowner,fsetid,kill,setgid,setuid,setpcap,net_bind_service,net_raw,sys_chroot,mknod,audit_write,setfcap'

test('root in a closed folder with the capabilities Docker grants', { skip: onlyRoot }, async (t) => {
  const dataDir = await closedFolder(t)
  const kept = dockerCapabilities.split(',').map((name) => `+${name}`)
  const owner = await startOwner(t, dataDir, ['setpriv', `--bounding-set=-all,${kept}`, '--inh-caps=-all'])
  assert.deepEqual(await query(owner.connection, 'select 1 as n'), [{ n: 1 }])
  await owner.stop()
  // The same folder must serve a root with all capabilities afterwards.
  await start(t, dataDir)
})

test('root that may neither switch accounts nor change owners, in a user namespace', { skip: onlyRoot }, async (t) => {
  // Without SETFCAP no kernel lets root map itself.
  const bare = ['setpriv', '--bounding-set=-all,+setfcap', '--inh-caps=-all']
  const [file = '', ...args] = [...bare, 'unshare', '--user', '--map-user=1', 'true']
  if (
    await run(file, args).then(
      () => false,
      () => true,
    )
  )
    return t.skip('this kernel or container forbids user namespaces')
  const dataDir = await closedFolder(t)
  const owner = await startOwner(t, dataDir, bare)
  await query(owner.connection, 'create table kept as select 42 as n')
  assert.equal((await stat(join(dataDir, 'database'))).uid, 0)
  await owner.stop()
  // With capabilities another way is chosen: the files change hands and nothing is lost.
  const server = await start(t, dataDir)
  assert.notEqual((await stat(join(dataDir, 'database'))).uid, 0)
  assert.deepEqual(await query(server.connection, 'select n from kept'), [{ n: 42 }])
})

test('an ordinary user, whose folder stays his after a start as root', { skip: onlyRoot }, async (t) => {
  const prefix = await ordinaryUser()
  if (prefix === undefined) return t.skip('no account "nobody", or setpriv cannot switch to it')
  const dataDir = await temporaryFolder(t)
  const { stdout: uid } = await run('id', ['-u', 'nobody'])
  await chown(dataDir, Number(uid), 0)
  const owner = await startOwner(t, dataDir, prefix)
  await query(owner.connection, 'create table kept as select 42 as n')
  await owner.stop()
  await (await start(t, dataDir)).stop()
  const again = await startOwner(t, dataDir, prefix)
  assert.deepEqual(await query(again.connection, 'select n from kept'), [{ n: 42 }])
})

test('an ordinary user in a folder of somebody else is told so', { skip: onlyRoot }, async (t) => {
  const prefix = await ordinaryUser()
  if (prefix === undefined) return t.skip('no account "nobody", or setpriv cannot switch to it')
  const dataDir = await temporaryFolder(t)
  await chmod(dataDir, 0o777)
  await mkdir(join(dataDir, 'database'))
  await assert.rejects(
    startOwner(t, dataDir, prefix),
    /belongs to uid 0, but this is uid \d+\. Start Minutely as before/,
  )
})

const cleanUps = new WeakMap<TestContext, (() => Promise<unknown>)[]>()

/** Last made, first cleaned up: a folder goes after the server in it. */
function cleanUp(t: TestContext, action: () => Promise<unknown>): void {
  const actions = cleanUps.get(t)
  if (actions !== undefined) {
    actions.push(action)
    return
  }
  const first = [action]
  cleanUps.set(t, first)
  t.after(async () => {
    for (const cleaning of first.toReversed()) await cleaning()
  })
}

async function temporaryFolder(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'minutely-test-'))
  await chmod(folder, 0o755)
  cleanUp(t, () => rm(folder, { recursive: true, force: true }))
  return folder
}

async function closedFolder(t: TestContext): Promise<string> {
  const folder = await temporaryFolder(t)
  await chmod(folder, 0o700)
  return join(folder, 'data')
}

async function start(t: TestContext, dataDir: string): Promise<EmbeddedServer> {
  const server = await startEmbeddedServer({ dataDir, onProgress: () => {} })
  cleanUp(t, () => server.stop())
  return server
}

async function query(connection: Connection, sql: string): Promise<unknown[]> {
  const client = new pg.Client(connection)
  await client.connect()
  try {
    return (await client.query(sql)).rows
  } finally {
    await client.end()
  }
}

async function postmasterPid(dataDir: string): Promise<number> {
  const state = await readPostmasterState(join(dataDir, 'database', 'cluster'))
  assert.ok(state)
  return state.pid
}

interface Owner {
  readonly process: ChildProcess
  readonly connection: Connection
  stop(): Promise<void>
}

/** A process that owns the server of a folder and stops when its standard input ends. */
async function startOwner(t: TestContext, dataDir: string, prefix: readonly string[] = []): Promise<Owner> {
  const code = `
    const { startEmbeddedServer } = await import(${JSON.stringify(import.meta.resolve('./embedded-server.ts'))})
    const server = await startEmbeddedServer({ dataDir: process.argv[1], onProgress: () => {} })
    console.log(JSON.stringify(server.connection))
    process.stdin.on('end', () => server.stop()).resume()`
  const [file = process.execPath, ...args] = [...prefix, process.execPath, '--input-type=module', '-e', code, dataDir]
  const child = spawn(file, args, { stdio: ['pipe', 'pipe', 'pipe'], cwd: '/' })
  const closed = once(child, 'close')
  const complaints = text(child.stderr)
  const stop = async () => {
    child.stdin.end()
    await closed
  }
  cleanUp(t, stop)
  for await (const line of createInterface({ input: child.stdout })) {
    return { process: child, connection: JSON.parse(line), stop }
  }
  throw new Error(await complaints)
}

/** The repository may lie in root's closed home, hence the capability to read it; it runs as nobody all the same. */
async function ordinaryUser(): Promise<string[] | undefined> {
  try {
    const [uid, gid] = await Promise.all([run('id', ['-u', 'nobody']), run('id', ['-g', 'nobody'])])
    const account = [`--reuid=${uid.stdout.trim()}`, `--regid=${gid.stdout.trim()}`, '--clear-groups']
    const reading = [
      '--securebits=+no_setuid_fixup',
      '--inh-caps=-all,+dac_read_search',
      '--ambient-caps=+dac_read_search',
    ]
    const prefix = ['setpriv', ...account, ...reading]
    const [file = '', ...args] = [...prefix, process.execPath, '--version']
    await run(file, args, { cwd: '/' })
    return prefix
  } catch {
    return undefined
  }
}

async function kill(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const closed = once(child, 'close')
  child.kill('SIGKILL')
  await closed
}
