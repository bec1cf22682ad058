/** What all viewers of a process together may have unsent. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { after, before, it } from 'node:test'
import { VirtualClock } from '@minutely/lib/clock'
import { LocalLiveChannel } from '@minutely/lib/live/local-live-channel'
import { silentLog } from '@minutely/lib/postgres/test-database'
import { Registry } from 'prom-client'
import { LiveViewers } from './live-viewers.ts'
import { createQueryMetrics } from './metrics.ts'
import { defaultConfig } from './test-api.ts'

const server = createServer().listen(0, '127.0.0.1')
before(() => once(server, 'listening'))
after(() => server.close())

/** Of a viewer that never reads. */
async function openUnread(): Promise<ServerResponse> {
  const client = connect((server.address() as AddressInfo).port, '127.0.0.1')
  client.pause()
  client.on('error', () => {})
  client.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n')
  const [, response] = (await once(server, 'request')) as [unknown, ServerResponse]
  after(() => client.destroy())
  return response
}

it('drops the viewer with most unsent when all together have too much, and counts it', async () => {
  const registry = new Registry()
  const million = 1_000_000
  const viewers = new LiveViewers(
    { ...defaultConfig, viewersBufferBytesMax: 60 * million },
    {
      pool: {} as never,
      live: new LocalLiveChannel(),
      clock: new VirtualClock(0),
      log: silentLog,
      metrics: createQueryMetrics(registry),
      feeds: { advance: () => {} },
      metricFeeds: { advance: () => {} },
    },
  )
  const open = async () => viewers.open(await openUnread(), { kind: 'server', completeThroughMs: 0 })
  const [less, most, least] = [await open(), await open(), await open()]
  const send = (stream: typeof less, bytes: number) =>
    stream.send({ event: 'minute', data: { text: 'x'.repeat(bytes) } })
  send(less, 30 * million)
  send(most, 40 * million)
  send(least, 20 * million)
  // Not before the sockets had their chance.
  assert.deepEqual([less.ended, most.ended, least.ended], [false, false, false])
  await new Promise((resolve) => setImmediate(resolve))
  assert.deepEqual([less.ended, most.ended, least.ended], [false, true, false])
  const counted = await registry.getSingleMetricAsString('minutely_query_viewers_dropped_total')
  assert.match(counted, /\{reason="buffers-full"\} 1$/m)
  viewers.stop()
})
