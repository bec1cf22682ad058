/** The agent as a process of its own: what a person sees at the terminal. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { openSpoolFolder } from './spool-files.ts'

const main = fileURLToPath(new URL('./main.ts', import.meta.url))

/** Starts it with these settings; resolves when it has ended. */
async function run(settings: Readonly<Record<string, string>>) {
  const env = { PATH: process.env['PATH'], ...settings }
  const child = spawn(process.execPath, [main], { env, stdio: ['ignore', 'pipe', 'pipe'] })
  const [out, err, [exitCode]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'exit')])
  return { out, err, exitCode: exitCode as number | null }
}

test('a start that fails is one readable line that names the setting', async () => {
  const other = createServer().listen(0, '127.0.0.1')
  await once(other, 'listening')
  const { port } = other.address() as AddressInfo
  const { out, err, exitCode } = await run({ MINUTELY_AGENT_PORT: String(port) })
  other.close()
  assert.equal(exitCode, 1)
  assert.match(err.trim(), new RegExp(`^The agent could not start: Port ${port} .*MINUTELY_AGENT_PORT[^\n]*$`))
  assert.equal(out, '')
})

test('a start on the spool of another agent says whose it is and what to do', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'minutely-spool-'))
  const folder = await openSpoolFolder(dir, { setting: '' })
  const settings = { MINUTELY_AGENT_PORT: '0', MINUTELY_AGENT_SPOOL_DIR: dir, MINUTELY_LOG_LEVEL: 'warn' }
  const { err, exitCode } = await run(settings)
  await folder.release()
  await rm(dir, { recursive: true })
  assert.equal(exitCode, 1)
  const message = `another agent (pid ${process.pid}) is using ${dir}; stop it or set MINUTELY_AGENT_SPOOL_DIR`
  assert.equal(err.trim(), `The agent could not start: ${message}`)
})
