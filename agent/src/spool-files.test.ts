/** The folder of a spool: the contract, whose it is, and what is not its own. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
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
})
