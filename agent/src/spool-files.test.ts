/** The folder of a spool: the contract, whose it is, and what is not its own. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, chown, mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { createSimulatedSpoolFiles, seededRandom } from './simulated-spool-files.ts'
import { openSpoolFolder } from './spool-files.ts'
import { spoolFilesContract } from './spool-files-contract.ts'

const setting = 'MINUTELY_AGENT_SPOOL_DIR'
const folders: string[] = []
after(async () => {
  for (const folder of folders) await rm(folder, { recursive: true, force: true })
})

async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'minutely-spool-'))
  folders.push(folder)
  return folder
}

spoolFilesContract('a folder', async () => {
  const files = await openSpoolFolder(join(await temporaryFolder(), 'made', 'for us'), { setting })
  return { files, close: () => files.release() }
})
spoolFilesContract('simulated', async () => ({
  files: createSimulatedSpoolFiles(seededRandom(1)),
  close: async () => {},
}))

describe('openSpoolFolder', () => {
  it('refuses a folder that another one has, and says what to do', async () => {
    const dir = await temporaryFolder()
    const first = await openSpoolFolder(dir, { setting })
    const message = `another agent (pid ${process.pid}) is using ${dir}; stop it or set ${setting}`
    await assert.rejects(openSpoolFolder(dir, { setting }), { name: 'FolderInUseError', message })
    await first.release()
    await (await openSpoolFolder(dir, { setting })).release()
  })

  it('is free at once when its owner was killed', async () => {
    const dir = await temporaryFolder()
    const program = fileURLToPath(new URL('./known-values-agent.ts', import.meta.url))
    const args = [program, 'http://127.0.0.1:1', dir, '0', String(Date.now()), '1']
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
    await once(child.stdout, 'data')
    await assert.rejects(openSpoolFolder(dir, { setting }), {
      message: new RegExp(`another agent \\(pid ${child.pid}\\)`),
    })
    child.kill('SIGKILL')
    await once(child, 'exit')
    await (await openSpoolFolder(dir, { setting })).release()
  })

  it('lists neither its lock nor what others put there', async () => {
    const dir = await temporaryFolder()
    const files = await openSpoolFolder(dir, { setting })
    await writeFile(join(dir, 'notes.txt'), 'not ours')
    files.append('0000000001.segment', Buffer.from('ours'))
    assert.deepEqual(files.list(), [{ name: '0000000001.segment', bytes: 4 }])
    await files.release()
  })

  const modeOf = async (path: string) => ((await stat(path)).mode & 0o777).toString(8)

  it('is closed to other accounts, with all that it makes and what an earlier version left open', async () => {
    const dir = join(await temporaryFolder(), 'spool')
    const first = await openSpoolFolder(dir, { setting })
    first.append('0000000001.segment', Buffer.from('ours'))
    first.append('0000000002.cell', Buffer.from('ours'))
    await first.release()
    assert.deepEqual(await Promise.all([dir, ...(await samplesIn(dir))].map(modeOf)), ['700', '600', '600'])
    for (const path of await samplesIn(dir)) await chmod(path, 0o644)
    await chmod(dir, 0o755)
    await (await openSpoolFolder(dir, { setting })).release()
    assert.deepEqual(await Promise.all([dir, ...(await samplesIn(dir))].map(modeOf)), ['700', '600', '600'])
  })

  it('leaves a folder open that is not its own, and closes its files', async () => {
    const dir = await temporaryFolder()
    await chmod(dir, 0o755)
    await writeFile(join(dir, 'notes.txt'), 'not ours', { mode: 0o644 })
    const files = await openSpoolFolder(dir, { setting })
    files.append('0000000001.acked', Buffer.from('ours'))
    await files.release()
    assert.deepEqual(await Promise.all([dir, join(dir, 'notes.txt'), ...(await samplesIn(dir))].map(modeOf)), [
      '755',
      '644',
      '600',
    ])
  })

  const isRoot = process.getuid?.() === 0
  it('gives what root writes to the owner of the folder', { skip: isRoot ? false : 'needs root' }, async () => {
    const dir = await temporaryFolder()
    await chown(dir, 12_345, 12_345)
    const files = await openSpoolFolder(dir, { setting })
    files.append('0000000001.segment', Buffer.from('ours'))
    await files.release()
    for (const path of await samplesIn(dir)) assert.equal((await stat(path)).uid, 12_345)
  })
})

async function samplesIn(dir: string): Promise<string[]> {
  const names = await readdir(dir)
  return names
    .filter((name) => /^\d{10}/.test(name))
    .sort()
    .map((name) => join(dir, name))
}
