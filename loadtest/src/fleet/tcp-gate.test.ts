import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'
import { TcpGate } from './tcp-gate.ts'

test('passes requests on until it is closed, and then nobody through', async (context) => {
  const server = createServer((request, answer) => answer.end(`seen ${request.url}`)).listen(0, '127.0.0.1')
  context.after(() => server.close())
  await once(server, 'listening')
  const target = `http://127.0.0.1:${(server.address() as AddressInfo).port}/apis`
  const gate = new TcpGate(target)
  await gate.open()
  const { url } = gate
  assert.match(url, /^http:\/\/127\.0\.0\.1:\d+\/apis$/)
  assert.notEqual(url, target)
  assert.equal(await (await fetch(`${url}/one`)).text(), 'seen /apis/one')
  gate.close()
  await assert.rejects(fetch(`${url}/two`))
  assert.equal(await (await fetch(`${target}/three`)).text(), 'seen /apis/three', 'for others it is there')
})
