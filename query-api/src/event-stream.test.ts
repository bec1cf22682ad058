/** Framing, and what becomes of a viewer that does not read. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { it } from 'node:test'
import { type DropReason, EventStream, frame } from './event-stream.ts'

it('frames an event as one data line', () => {
  assert.equal(
    frame({ event: 'minute', id: 60_000, data: { text: 'a\nb' } }),
    'event: minute\nid: 60000\ndata: {"text":"a\\nb"}\n\n',
  )
  assert.equal(frame({ event: 'status', data: {} }), 'event: status\ndata: {}\n\n')
})

it('drops a viewer that has more than the bound unsent, and holds no more than that and one event', async () => {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  // Sends its request and never reads: the socket stays paused.
  const client = connect((server.address() as AddressInfo).port, '127.0.0.1')
  client.pause()
  client.on('error', () => {})
  client.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n')
  const [, response] = (await once(server, 'request')) as [unknown, ServerResponse]
  const ends: (DropReason | undefined)[] = []
  const bufferBytesMax = 65_536
  const stream = new EventStream(response, { bufferBytesMax, onEnd: (dropped) => ends.push(dropped) })
  const data = 'x'.repeat(10_000)
  let unsentBytesMax = 0
  // What the kernel takes for both ends is some MB; then our own buffer grows.
  for (let events = 0; !stream.ended && events < 100_000; events++) {
    stream.send({ event: 'minute', data })
    unsentBytesMax = Math.max(unsentBytesMax, response.writableLength)
    await new Promise((resolve) => setImmediate(resolve))
  }
  assert.deepEqual(ends, ['slow'])
  assert.ok(unsentBytesMax <= bufferBytesMax + 2 * data.length, `${unsentBytesMax} bytes were held`)
  assert.equal(response.destroyed, true)
  stream.send({ event: 'minute', data })
  client.destroy()
  server.close()
})
