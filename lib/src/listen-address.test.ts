import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { test } from 'node:test'
import { checkAddress } from './listen-address.ts'

const settings = { host: { name: 'AGENT_HOST' }, port: { name: 'AGENT_PORT' } }

test('a free address passes, and is free afterwards', async () => {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  await assert.rejects(checkAddress({ host: '127.0.0.1', port }, settings), {
    message: `Port ${port} on 127.0.0.1 is taken by another process. Stop that, or set MINUTELY_AGENT_PORT to a free port (0 takes any)`,
  })
  server.close()
  await once(server, 'close')
  await checkAddress({ host: '127.0.0.1', port }, settings)
  await checkAddress({ host: '127.0.0.1', port }, settings)
})

test('an address that is not of this machine names the setting', async () => {
  for (const host of ['300.1.1.1', '192.0.2.1']) {
    await assert.rejects(checkAddress({ host, port: 0 }, settings), {
      message: `MINUTELY_AGENT_HOST=${host} is no address of this machine. Set it to one, to 127.0.0.1, or to 0.0.0.0 for all`,
    })
  }
})
