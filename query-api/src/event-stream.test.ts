/** Framing, what viewers share, and what becomes of one that does not read. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type Server, type ServerResponse } from 'node:http'
import { type AddressInfo, connect, type Socket } from 'node:net'
import { afterEach, beforeEach, it } from 'node:test'
import { VirtualClock } from '@minutely/lib/clock'
import { EventFrames, frameText, type StreamEvent } from './event-frames.ts'
import { type DropReason, drainTimeoutMs, EventStream } from './event-stream.ts'

let server: Server
let clients: Socket[]
let clock: VirtualClock
let frames: EventFrames
beforeEach(async () => {
  server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  clients = []
  clock = new VirtualClock(0)
  frames = new EventFrames(Number.POSITIVE_INFINITY, () => {})
})
afterEach(() => {
  for (const client of clients) client.destroy()
  server.close()
})

/** A viewer that never reads: its socket stays paused. */
async function openUnread(bufferBytesMax = 65_536) {
  const client = connect((server.address() as AddressInfo).port, '127.0.0.1')
  clients.push(client)
  client.pause()
  client.on('error', () => {})
  client.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n')
  const [, response] = (await once(server, 'request')) as [unknown, ServerResponse]
  const ends: (DropReason | undefined)[] = []
  const stream = new EventStream(response, { bufferBytesMax, frames, clock, onEnd: (dropped) => ends.push(dropped) })
  return { client, response, stream, ends }
}

/** More than the kernel takes for both ends of a connection. */
const large = 'x'.repeat(40_000_000)
const minute = (text: string, isProvisional = false): StreamEvent => ({
  event: 'minute',
  data: { text },
  isProvisional,
})
const endOfTurn = () => new Promise((resolve) => setImmediate(resolve))

it('frames an event as one data line', () => {
  assert.equal(
    frameText({ event: 'minute', id: 60_000, data: { text: 'a\nb' } }),
    'event: minute\nid: 60000\ndata: {"text":"a\\nb"}\n\n',
  )
  assert.equal(frameText({ event: 'status', data: {} }), 'event: status\ndata: {}\n\n')
})

it('drops a viewer that has more than the bound unsent, and holds no more than that and one event', async () => {
  const bufferBytesMax = 65_536
  const { response, stream, ends } = await openUnread(bufferBytesMax)
  const text = 'x'.repeat(10_000)
  let unsentBytesMax = 0
  // What the kernel takes for both ends is some MB; then our own buffer grows.
  for (let events = 0; !stream.ended && events < 100_000; events++) {
    stream.send(minute(text))
    unsentBytesMax = Math.max(unsentBytesMax, response.writableLength)
    await endOfTurn()
  }
  assert.deepEqual(ends, ['slow'])
  assert.ok(unsentBytesMax <= bufferBytesMax + 2 * text.length, `${unsentBytesMax} bytes were held`)
  assert.equal(response.destroyed, true)
  stream.send(minute(text))
})

it('makes an event into text once, however many viewers it is sent to', async () => {
  const viewers = [await openUnread(), await openUnread(), await openUnread()]
  let serializations = 0
  const data = { toJSON: () => ++serializations }
  const received = viewers.map(async ({ client }) => {
    let text = ''
    while (!text.includes('data: 1\n\n')) text += (await once(client, 'data'))[0]
  })
  for (const { stream } of viewers) stream.send({ event: 'minute', data })
  for (const { client } of viewers) client.resume()
  await Promise.all(received)
  assert.equal(serializations, 1)
})

it('sends all provisional minutes of one turn, and none while a viewer has bytes of an earlier one unsent', async () => {
  const { response, stream, ends } = await openUnread(Number.POSITIVE_INFINITY)
  await endOfTurn()
  stream.send(minute('first', true))
  const firstBytes = response.writableLength
  stream.send(minute(large, true))
  assert.ok(response.writableLength > firstBytes + large.length)
  await endOfTurn()
  const unsentBytes = response.writableLength
  stream.send(minute('stale', true))
  assert.equal(response.writableLength, unsentBytes)
  await endOfTurn()
  stream.send(minute('closed'))
  assert.ok(response.writableLength > unsentBytes)
  assert.deepEqual(ends, [])
})

it('sends provisional minutes again once a viewer has caught up', async () => {
  const { client, response, stream } = await openUnread(Number.POSITIVE_INFINITY)
  stream.send(minute(large))
  await endOfTurn()
  stream.send(minute('stale', true))
  let received = ''
  client.on('data', (chunk) => {
    received = (received + chunk).slice(-1000)
  })
  client.resume()
  while (response.writableLength > 0) await endOfTurn()
  stream.send(minute('fresh', true))
  while (!received.includes('fresh')) await once(client, 'data')
  assert.ok(!received.includes('stale'))
})

it('drops a viewer that does not take an event of a replay in time, and one that does leaves no timer', async () => {
  const unread = await openUnread()
  const sent = unread.stream.sendPaced(minute(large))
  await clock.advance(drainTimeoutMs - 1)
  assert.deepEqual(unread.ends, [])
  await clock.advance(1)
  await sent
  assert.deepEqual(unread.ends, ['stalled'])
  const read = await openUnread()
  read.client.resume()
  await read.stream.sendPaced(minute(large))
  assert.deepEqual(read.ends, [])
  assert.equal(clock.pendingCount, 0)
})

it('counts what several viewers wait for once, and tells when that is too much', async () => {
  let overfull = 0
  frames = new EventFrames(1.5 * large.length, () => overfull++)
  const [first, second] = [await openUnread(), await openUnread()]
  const event = minute(large)
  first.stream.send(event)
  second.stream.send(event)
  await endOfTurn()
  assert.equal(overfull, 0)
  const third = await openUnread()
  third.stream.send(minute(large))
  await endOfTurn()
  assert.equal(overfull, 1)
  assert.equal(frames.isOverfull, true)
  first.stream.drop('buffers-full')
  assert.equal(frames.isOverfull, true, 'the second still holds it')
  second.stream.drop('buffers-full')
  assert.equal(frames.isOverfull, false)
})
