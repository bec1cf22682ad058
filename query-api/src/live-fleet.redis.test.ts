/**
 * Live streams of two query APIs on one database and one Redis, neither of which lives with the aggregators: a viewer of either
 * sees all, goes on at the other, and gets closed minutes without Redis.
 */
import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, before, it } from 'node:test'
import { SystemClock, VirtualClock } from '@minutely/lib/clock'
import { createHttpServer } from '@minutely/lib/http-server'
import { createLiveMetrics } from '@minutely/lib/live/live-metrics'
import { type LiveConfig, liveSettings } from '@minutely/lib/live/live-settings'
import { RedisLiveReader } from '@minutely/lib/live/redis-live-reader'
import { RedisLiveWriter } from '@minutely/lib/live/redis-live-writer'
import { makeMinutesWritable } from '@minutely/lib/minute-tiers/test-writable-minutes'
import { createPool, type Pool, type PostgresConnection } from '@minutely/lib/postgres/pool'
import { createTestDatabase, silentLog } from '@minutely/lib/postgres/test-database'
import { AbsentRecentRing } from '@minutely/lib/recent-ring/absent-recent-ring'
import { createRedisSubscriber } from '@minutely/lib/redis/redis-subscriber'
import { connectTestClient, createTestRedis, redisConfig, withoutRedisServer } from '@minutely/lib/redis/test-redis'
import { minuteMs } from '@minutely/schema/limits'
import type { LiveMinute } from '@minutely/schema/query-wire'
import { Registry } from 'prom-client'
import { createQueryApi } from './service.ts'
import { defaultConfig, eventually, insertSeries, nowMs, setCompleteThrough, startMs } from './test-api.ts'

const at = (minute: number): number => startMs + minute * minuteMs
const server = { tenantId: 'default', serverId: 'web-1' }
const series = { metricId: 'm', labels: {} }
const liveConfig: LiveConfig = {
  ...(Object.fromEntries(
    Object.entries(liveSettings).map(([key, setting]) => [key, setting.shape.parse(setting.default)]),
  ) as LiveConfig),
  prefix: `test-${randomUUID()}`,
  askTimeoutMs: 5_000,
}

const stops: (() => Promise<void>)[] = []
after(async () => {
  for (const stop of stops.toReversed()) await stop()
})

let redis: Awaited<ReturnType<typeof createTestRedis>>
let pool: Pool
let connection: PostgresConnection
before(async () => {
  ;({ pool, connection } = await createTestDatabase())
  await pool.query('create table minute_block_everything partition of minute_block default')
  await makeMinutesWritable(pool)
  if (withoutRedisServer) return
  redis = await createTestRedis()
  await redis.start()
})

async function connectSide() {
  const clock = new SystemClock()
  const client = await connectTestClient(redis.url)
  const subscriber = createRedisSubscriber(redisConfig(redis.url), 'test', { log: silentLog, clock })
  await subscriber.start()
  stops.push(() => subscriber.stop())
  await eventually(() => assert.notEqual(subscriber.connectionId, undefined))
  return { client, subscriber, clock, log: silentLog, metrics: createLiveMetrics(new Registry()) }
}

async function createWriter(openMinutes: () => LiveMinute[]): Promise<RedisLiveWriter> {
  const writer = new RedisLiveWriter(liveConfig, await connectSide())
  writer.connect({ openMinutes, completeThroughMs: () => at(70) })
  await writer.start()
  stops.push(() => writer.stop())
  return writer
}

async function createApi() {
  const live = new RedisLiveReader(liveConfig, await connectSide())
  await live.start()
  stops.push(() => live.stop())
  const reader = createPool(connection, { name: 'query', connectionsMax: 4, readAsTenantId: 1 }, { log: silentLog })
  const annotator = createPool(connection, { name: 'a', connectionsMax: 1, annotateAsTenantId: 1 }, { log: silentLog })
  const [clock, registry] = [new VirtualClock(nowMs), new Registry()]
  const deps = { pool: reader, annotator, live, ring: new AbsentRecentRing(), clock, log: silentLog, registry }
  const api = createQueryApi(defaultConfig, deps)
  const options = { log: silentLog, registry, plugins: [api.plugin], readiness: [] }
  const http = createHttpServer({ host: '127.0.0.1', port: 0 }, options)
  await http.start()
  stops.push(async () => {
    await http.stop()
    await api.stop()
    await reader.end()
  })
  return { clock, live, url: `${http.url}/v1/servers/web-1` }
}

interface Seen {
  readonly id: string | undefined
  readonly minute: LiveMinute
}

/** Follows the stream's `minute` events. */
async function follow(url: string, lastEventId?: string) {
  const abort = new AbortController()
  const headers = lastEventId === undefined ? {} : { 'last-event-id': lastEventId }
  const response = await fetch(`${url}/live`, { headers, signal: abort.signal })
  const seen: Seen[] = []
  const reading = (async () => {
    let text = ''
    for await (const chunk of (response.body as ReadableStream<Uint8Array>).pipeThrough(new TextDecoderStream())) {
      text += chunk
      const events = text.split('\n\n')
      text = events.pop() ?? ''
      for (const event of events) {
        const [, id, data] = /^event: minute\n(?:id: (\d+)\n)?data: (.*)$/.exec(event) ?? []
        if (data !== undefined) seen.push({ id, minute: JSON.parse(data) as LiveMinute })
      }
    }
  })().catch(() => {})
  const close = async (): Promise<void> => {
    abort.abort()
    await reading
  }
  stops.push(close)
  return { seen, close }
}

function minute(atMs: number, metricId: string, more: Partial<LiveMinute> = {}): LiveMinute {
  const one = { metricId, labels: {}, min: 1, max: 1, avg: 1, sum: 1, count: 1 }
  return { serverId: 'web-1', minuteMs: atMs, provisional: true, completeThroughMs: at(70), series: [one], ...more }
}

const brief = (seen: readonly Seen[]) =>
  seen.map(({ minute: { minuteMs: atMs, provisional, series: all } }) => {
    return `${(atMs - startMs) / minuteMs} ${all.map(({ metricId }) => metricId).sort()} ${provisional ? 'open' : 'closed'}`
  })

it('a viewer of any query API sees every aggregator, and misses nothing without Redis or at another one', {
  skip: withoutRedisServer,
}, async () => {
  await insertSeries(pool, { serverId: 'web-1', ...series }, [{ atMs: at(57), values: [1] }])
  await setCompleteThrough(pool, at(58))
  const writers = [
    await createWriter(() => [minute(at(58), 'm')]),
    await createWriter(() => [minute(at(58), 'n'), minute(at(59), 'n')]),
  ]
  const [one, two] = [await createApi(), await createApi()]
  await eventually(async () => assert.equal((await two.live.openMinutes(server)).length, 2))

  // A range has the open minutes of both, and takes no partition's word for all being complete.
  const range = await fetch(`${two.url}/series?from=${at(57)}&to=${at(60)}&stepMs=60000&agg=count`)
  const answer = (await range.json()) as { completeThroughMs: number; series: { metricId: string; count: unknown }[] }
  assert.equal(answer.completeThroughMs, at(58))
  assert.deepEqual(
    answer.series.map(({ metricId, count }) => [metricId, count]),
    [
      ['m', [1, 1, null]],
      ['n', [null, 1, 1]],
    ],
  )

  const viewer = await follow(two.url)
  await eventually(() => assert.deepEqual(brief(viewer.seen), ['58 m,n open', '59 n open']))
  await eventually(() => assert.ok(writers.every((writer) => writer.isWatched(server))))
  writers[0]?.publish(server, minute(at(58), 'm', { provisional: false }))
  await eventually(() => assert.deepEqual(brief(viewer.seen.slice(2)), ['58 m closed']))
  for (const { id, minute: told } of viewer.seen) {
    assert.deepEqual([id, told.completeThroughMs], [String(at(58)), at(58)], 'a partition that is ahead')
  }

  await redis.stop('SIGKILL')
  await eventually(() => assert.equal(two.live.connectionId, undefined))
  await insertSeries(pool, { serverId: 'web-1', ...series }, [{ atMs: at(58), values: [1] }])
  await insertSeries(pool, { serverId: 'web-1', ...series, metricId: 'n' }, [{ atMs: at(58), values: [1] }])
  await setCompleteThrough(pool, at(59))
  await eventually(async () => {
    await two.clock.advance(2500)
    assert.deepEqual(brief(viewer.seen.slice(3)), ['58 m,n closed'])
  })
  const last = viewer.seen.at(-1)
  assert.deepEqual([last?.id, last?.minute.completeThroughMs], [String(at(59)), at(59)])

  await insertSeries(pool, { serverId: 'web-1', ...series }, [{ atMs: at(59), values: [1] }])
  await setCompleteThrough(pool, at(60))
  await viewer.close()
  const elsewhere = await follow(one.url, last?.id)
  await eventually(() => assert.deepEqual(brief(elsewhere.seen), ['57 m closed', '58 m,n closed', '59 m closed']))
})
