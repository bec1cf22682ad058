/**
 * The live channel over a real Redis: two aggregators' sides and two query APIs' sides, each with connections of its own as
 * in separate processes.
 */
import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, test } from 'node:test'
import { Registry } from 'prom-client'
import { SystemClock } from '../clock.ts'
import { silentLog } from '../postgres/test-database.ts'
import { createRedisClient, type RedisClient } from '../redis/redis-client.ts'
import { createRedisSubscriber, type RedisSubscriber } from '../redis/redis-subscriber.ts'
import { createTestRedis, redisConfig, withoutRedisServer } from '../redis/test-redis.ts'
import { db, eventually, liveChannelContract, minuteOf, recorder, sourceOf, web } from './live-channel-contract.ts'
import { createLiveMetrics } from './live-metrics.ts'
import { type LiveConfig, liveSettings } from './live-settings.ts'
import { RedisLiveReader } from './redis-live-reader.ts'
import { RedisLiveWriter } from './redis-live-writer.ts'

const sharedUrl = process.env['REDIS_URL'] ?? 'redis://127.0.0.1:6379'
const deps = { log: silentLog, clock: new SystemClock() }
const stops: (() => Promise<void>)[] = []
after(async () => {
  for (const stop of stops.toReversed()) await stop()
})

const defaults = Object.fromEntries(
  Object.entries(liveSettings).map(([key, setting]) => [key, setting.shape.parse(setting.default)]),
) as LiveConfig

interface Side {
  readonly client: RedisClient
  readonly subscriber: RedisSubscriber
  readonly registry: Registry
  end(): Promise<void>
}

async function connect(url: string): Promise<Side> {
  const redis = redisConfig(url)
  const client = createRedisClient(redis, 'test', deps)
  const subscriber = createRedisSubscriber(redis, 'test-subscriber', deps)
  await client.start()
  await subscriber.start()
  await eventually(() => assert.ok(client.runId !== undefined && subscriber.connectionId !== undefined))
  const end = async (): Promise<void> => {
    await client.stop()
    await subscriber.stop()
  }
  stops.push(end)
  return { client, subscriber, registry: new Registry(), end }
}

function createFleet(more: Partial<LiveConfig> & { url?: string } = {}) {
  const { url = sharedUrl, ...overrides } = more
  // Long, so that only the tests of the timeout meet it.
  const config = {
    ...defaults,
    prefix: `test-${randomUUID()}`,
    askTimeoutMs: 10_000,
    ...overrides,
  }
  const metric = async (side: Side, name: string, label: string): Promise<number> => {
    const line = (await side.registry.metrics())
      .split('\n')
      .find((text) => text.startsWith(name) && text.includes(label))
    return Number(line?.split(' ').at(-1) ?? 0)
  }
  return {
    config,
    metric,
    async writer() {
      const side = await connect(url)
      const writer = new RedisLiveWriter(config, { ...deps, ...side, metrics: createLiveMetrics(side.registry) })
      stops.push(() => writer.stop())
      await writer.start()
      await eventually(async () =>
        assert.notDeepEqual(await side.client.call('pubsub', ['numsub', `${config.prefix}:ask`]), ''),
      )
      return { ...side, writer }
    },
    async reader() {
      const side = await connect(url)
      const reader = new RedisLiveReader(config, { ...deps, ...side, metrics: createLiveMetrics(side.registry) })
      stops.push(() => reader.stop())
      await reader.start()
      return { ...side, reader }
    },
    /** So many aggregators hear questions. */
    async heard(side: Side, count: number) {
      await eventually(async () => {
        assert.deepEqual(await side.client.call('pubsub', ['numsub', `${config.prefix}:ask`]), [
          `${config.prefix}:ask`,
          count,
        ])
      })
    },
  }
}

liveChannelContract('redis', {
  create: async () => {
    const fleet = createFleet()
    const { writer, ...side } = await fleet.writer()
    const { reader } = await fleet.reader()
    await fleet.heard(side, 1)
    return { writer, reader }
  },
})

test('either reader sees the parts of both writers, closed and open', async () => {
  const fleet = createFleet()
  const [one, two] = [await fleet.writer(), await fleet.writer()]
  const readers = [await fleet.reader(), await fleet.reader()]
  const viewers = readers.map(({ reader }) => {
    const viewer = recorder()
    reader.watch(web, viewer.listen)
    return viewer
  })
  one.writer.connect(sourceOf(() => [minuteOf(1, ['a'])]))
  two.writer.connect(sourceOf(() => [minuteOf(1, ['b']), minuteOf(2, ['b'])]))
  await eventually(() => assert.ok(one.writer.isWatched(web) && two.writer.isWatched(web)))
  await fleet.heard(one, 2)
  one.writer.publish(web, minuteOf(3, ['a'], { provisional: false }))
  two.writer.publish(web, minuteOf(3, ['b'], { provisional: false }))
  two.writer.publishProvisional()
  for (const { seen } of viewers) {
    await eventually(() => {
      const parts = seen.map(({ minuteMs, provisional, series }) => `${minuteMs} ${provisional} ${series[0]?.metricId}`)
      assert.deepEqual(parts.sort(), ['1 true b', '2 true b', '3 false a', '3 false b'])
    })
  }
  for (const { reader } of readers) {
    const open = await reader.openMinutes(web)
    const brief = open.map(({ minuteMs, series }) => [minuteMs, series.map(({ metricId }) => metricId).sort()])
    assert.deepEqual(brief, [
      [1, ['a', 'b']],
      [2, ['b']],
    ])
  }
})

test("a dead reader's interest is gone by itself, another's stays", async () => {
  const fleet = createFleet()
  const { writer } = await fleet.writer()
  const [dying, living] = [await fleet.reader(), await fleet.reader()]
  dying.reader.watch(web, () => {})
  dying.reader.watch(db, () => {})
  living.reader.watch(db, () => {})
  await eventually(() => assert.equal(writer.watchedCount, 2))
  // As the kernel ends the connections of a process that was killed: nothing is unsubscribed.
  await dying.end()
  await eventually(() => assert.ok(!writer.isWatched(web)))
  assert.ok(writer.isWatched(db))
})

test('one aggregator that hangs: the answer of the other after the timeout, then without waiting', async () => {
  const fleet = createFleet({ askTimeoutMs: 1_000 })
  const { writer, ...side } = await fleet.writer()
  const { reader, registry } = await fleet.reader()
  writer.connect(sourceOf(() => [minuteOf(1, ['a'])]))
  const hanging = await connect(sharedUrl)
  hanging.subscriber.subscribe(`${fleet.config.prefix}:ask`, () => {})
  await fleet.heard(side, 2)
  assert.deepEqual(
    (await reader.openMinutes(web)).map(({ minuteMs }) => minuteMs),
    [1],
  )
  assert.equal(await fleet.metric({ ...side, registry }, 'minutely_live_questions_total', 'partial'), 1)
  // So many that waiting for each would take longer than a test may.
  for (let count = 0; count < 200; count++) assert.equal((await reader.openMinutes(web)).length, 1)
  await hanging.end()
  await fleet.heard(side, 1)
  await eventually(async () => {
    assert.equal((await reader.openMinutes(web)).length, 1)
    assert.ok((await fleet.metric({ ...side, registry }, 'minutely_live_questions_total', 'answered')) > 0)
  })
})

test('no aggregator at all is an answer', async () => {
  const { reader } = await createFleet().reader()
  assert.deepEqual(await reader.openMinutes(web), [])
})

test('a minute of 2,000 series comes in messages within the bound, and is whole', async () => {
  const fleet = createFleet({ messageBytesMax: 4_000 })
  const { writer, ...side } = await fleet.writer()
  const { reader } = await fleet.reader()
  const named = minuteOf(
    1,
    Array.from({ length: 2_000 }, (_, index) => `metric.${index}`),
  )
  const minute = { ...named, series: named.series.map((one) => ({ ...one, sum: Math.random() })) }
  writer.connect(sourceOf(() => [minute]))
  const { seen, listen } = recorder()
  reader.watch(web, listen)
  await eventually(() => assert.ok(writer.isWatched(web)))
  writer.publish(web, minute)
  await eventually(() => assert.ok(seen.reduce((count, { series }) => count + series.length, 0) >= 2_000))
  assert.deepEqual(
    seen.flatMap(({ series }) => series),
    minute.series,
  )
  assert.ok(seen.length > 4, `${seen.length} parts`)
  await fleet.heard(side, 1)
  const open = await reader.openMinutes(web)
  assert.deepEqual(
    open.flatMap(({ series }) => series),
    minute.series,
  )
  const text = Array.from({ length: 300 }, () => randomUUID()).join('')
  writer.publish(web, { ...minute, series: minute.series.slice(0, 1).map((one) => ({ ...one, labels: { text } })) })
  assert.equal(await fleet.metric(side, 'minutely_live_dropped_total', 'too-large'), 1)
})

test('watched servers and questions are bounded; what else is on the channels is dropped and counted', async () => {
  const fleet = createFleet({ watchedServersMax: 3, questionsMax: 2, askTimeoutMs: 200 })
  const writer = await fleet.writer()
  const reader = await fleet.reader()
  for (let index = 0; index < 5; index++) reader.reader.watch({ ...web, serverId: `s${index}` }, () => {})
  await eventually(async () => {
    assert.equal(writer.writer.watchedCount, 3)
    assert.equal(await fleet.metric(writer, 'minutely_live_watched_servers', 'unserved'), 2)
  })
  await fleet.heard(reader, 1)
  const asked = [1, 2, 3].map((index) => reader.reader.openMinutes({ ...web, serverId: `q${index}` }))
  await Promise.all(asked)
  assert.equal(await fleet.metric(reader, 'minutely_live_questions_total', 'overloaded'), 1)

  const poison = [Buffer.alloc(0), Buffer.of(9, 9), Buffer.from('\u0001{"kind":"minute"}'), Buffer.of(2, 1, 2, 3)]
  poison.push(Buffer.from(`\u0001${'['.repeat(2_000_000)}`))
  const viewer = recorder()
  reader.reader.watch(web, viewer.listen)
  for (const bytes of poison) {
    await eventually(async () => {
      assert.ok((await writer.client.publish(`${fleet.config.prefix}:live:default:web-1`, bytes)) > 0)
    })
    await writer.client.publish(`${fleet.config.prefix}:ask`, bytes)
  }
  writer.writer.publish(web, minuteOf(1, ['m']))
  await eventually(() => assert.deepEqual(viewer.times(), [1]))
  assert.equal(await fleet.metric(reader, 'minutely_live_dropped_total', 'unreadable'), poison.length)
  await eventually(async () => {
    assert.equal(await fleet.metric(writer, 'minutely_live_dropped_total', 'unreadable'), poison.length)
  })
})

test('Redis is killed and comes back: no waiting, no errors, then all is as before', {
  skip: withoutRedisServer,
}, async () => {
  const redis = await createTestRedis()
  await redis.start()
  const fleet = createFleet({ url: redis.url })
  const { writer, ...side } = await fleet.writer()
  const { reader } = await fleet.reader()
  writer.connect(sourceOf(() => [minuteOf(1, ['a'])]))
  const viewer = recorder()
  reader.watch(web, viewer.listen)
  await eventually(() => assert.ok(writer.isWatched(web)))
  await fleet.heard(side, 1)
  assert.equal((await reader.openMinutes(web)).length, 1)
  const { connectionId } = reader

  await redis.stop('SIGKILL')
  await eventually(() => assert.equal(reader.connectionId, undefined))
  // The timeout of a question is 10 s; a thousand of them would not end within the test.
  for (let count = 0; count < 1000; count++) assert.deepEqual(await reader.openMinutes(web), [])
  writer.publish(web, minuteOf(2, ['a']))
  writer.publishProvisional()
  await eventually(() => assert.equal(writer.watchedCount, 0))
  const later = recorder()
  reader.watch(db, later.listen)

  await redis.start()
  await eventually(() => assert.ok(writer.isWatched(web) && writer.isWatched(db)))
  assert.notEqual(reader.connectionId, connectionId)
  writer.publish(web, minuteOf(3, ['a']))
  writer.publish(db, minuteOf(4, ['a']))
  await eventually(() => assert.deepEqual([viewer.times().at(-1), later.times()], [3, [4]]))
  await eventually(async () => assert.equal((await reader.openMinutes(web)).length, 1))
})

test('a Redis that hangs is waited for once, not by each query', { skip: withoutRedisServer }, async () => {
  const redis = await createTestRedis()
  await redis.start()
  const fleet = createFleet({ url: redis.url, askTimeoutMs: 1_000 })
  const { reader, registry, ...side } = await fleet.reader()
  assert.deepEqual(await reader.openMinutes(web), [])
  redis.pause()
  // Each waiting 1 s, these would not end within the test.
  for (let count = 0; count < 200; count++) assert.deepEqual(await reader.openMinutes(web), [])
  assert.equal(await fleet.metric({ ...side, registry }, 'minutely_live_questions_total', 'failed'), 1)
  redis.resume()
})
