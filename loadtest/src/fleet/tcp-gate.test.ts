import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, type TestContext, test } from 'node:test'
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

describe('a gate that misbehaves', () => {
  async function take(
    context: TestContext,
  ): Promise<{ gate: TcpGate; seen: string[]; ask: (path: string) => Promise<string> }> {
    const seen: string[] = []
    const server = createServer((request, answer) => {
      seen.push(request.url ?? '')
      answer.end('done')
    }).listen(0, '127.0.0.1')
    await once(server, 'listening')
    const target = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    const gate = new TcpGate(() => target)
    await gate.open()
    context.after(() => {
      gate.close()
      server.close()
    })
    const ask = async (path: string): Promise<string> => (await fetch(`${gate.url}${path}`)).text()
    return { gate, seen, ask }
  }

  test('loses the answer to what has the pattern in it, as often as asked, though it was done', async (context) => {
    const { gate, seen, ask } = await take(context)
    gate.cutNext({ when: 'after', pattern: '/commit', times: 1 })
    assert.equal(await ask('/other'), 'done')
    await assert.rejects(ask('/commit'))
    assert.equal(await ask('/commit'), 'done')
    assert.deepEqual(seen, ['/other', '/commit', '/commit'])
    assert.equal(gate.cutsMade, 1)
  })

  test('cuts before anything, or more than half of it, arrives', async (context) => {
    const { gate, seen, ask } = await take(context)
    for (const when of ['before', 'half'] as const) {
      gate.cutNext({ when, times: 1 })
      await assert.rejects(ask('/lost'))
    }
    assert.equal(await ask('/kept'), 'done')
    assert.deepEqual(seen, ['/kept'])
  })

  test('is shut for a while', async (context) => {
    const { gate, ask } = await take(context)
    gate.shut()
    await assert.rejects(ask('/'))
    gate.reopen()
    assert.equal(await ask('/'), 'done')
  })

  test('tells when something passes', async (context) => {
    const { gate, ask } = await take(context)
    const passed = gate.awaitTraffic(new AbortController().signal)
    await Promise.all([passed, ask('/')])
    await gate.awaitTraffic(AbortSignal.abort())
  })
})
