/** The agent as a process of its own: what a person sees at the terminal. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'

const main = fileURLToPath(new URL('./main.ts', import.meta.url))

test('a start that fails is one readable line that names the setting', async () => {
  const other = createServer().listen(0, '127.0.0.1')
  await once(other, 'listening')
  const { port } = other.address() as AddressInfo
  const child = spawn(process.execPath, [main], {
    env: { PATH: process.env['PATH'], MINUTELY_AGENT_PORT: String(port) },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const [out, err, [exitCode]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'exit')])
  other.close()
  assert.equal(exitCode, 1)
  assert.match(err.trim(), new RegExp(`^The agent could not start: Port ${port} .*MINUTELY_AGENT_PORT[^\n]*$`))
  assert.equal(out, '')
})
