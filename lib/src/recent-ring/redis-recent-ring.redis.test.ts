/** The ring in a real Redis: the contract, and what happens when Redis is slow, full, flushed, restarted or gone. */
import assert from 'node:assert/strict'
import { before, describe, test } from 'node:test'
import { SystemClock, VirtualClock } from '../clock.ts'
import { silentLog } from '../postgres/test-database.ts'
import { createRegistry } from '../process-metrics.ts'
import type { RedisClient } from '../redis/redis-client.ts'
import { connectTestClient, createTestRedis, isReady, type TestRedis, withoutRedisServer } from '../redis/test-redis.ts'
import type { RingIdentity } from './recent-ring.ts'
import { recentRingContract } from './recent-ring-contract.ts'
import { RedisRecentRing } from './redis-recent-ring.ts'
import { ringKey, valueBytesMax } from './ring-format.ts'
import { createRingMetrics } from './ring-metrics.ts'
import { type RingConfig, ringSettings } from './ring-settings.ts'
import { coveredOf, testQuestion, testRows } from './test-rows.ts'

const clock = new SystemClock()
const hourMinute = Math.floor(clock.nowMs() / 3_600_000) * 60 - 120
const range = { from: hourMinute, to: hourMinute + 60 }
const defaults = Object.fromEntries(
  Object.entries(ringSettings).map(([key, setting]) => [key, setting.shape.parse(setting.default)]),
) as RingConfig
/** A busy machine is not what these tests are about. */
const patient = { ...defaults, gatherMinutes: 1, writeBudgetMs: 20_000, readBudgetMs: 20_000, breakerMs: 0 }
let epoch = 0

function ringOn(redis: RedisClient, overrides: Partial<RingConfig> = {}) {
  const registry = createRegistry()
  const metrics = createRingMetrics(registry)
  const config = { ...patient, prefix: `test:${process.pid}`, ...overrides }
  const ring = new RedisRecentRing(config, { redis, clock, log: silentLog, metrics })
  const countOf = async (name: string, label: string): Promise<number> => {
    const metric = (await registry.getSingleMetric(name)?.get())?.values ?? []
    return metric.find(({ labels }) => Object.values(labels).includes(label))?.value ?? 0
  }
  return { ring, config, countOf }
}

const identityOn = (redis: RedisClient): RingIdentity => ({ epoch: String(++epoch), runId: redis.runId })
const one = testRows([{ seriesId: 1, minute: hourMinute, seen: 1n }])
const covers = async (ring: RedisRecentRing, identity: RingIdentity): Promise<boolean> =>
  coveredOf(await ring.read(testQuestion([1], range, identity))).size > 0

if (withoutRedisServer !== false) test('the ring in Redis', { skip: withoutRedisServer }, () => {})
else {
  let server: TestRedis
  let redis: RedisClient
  before(async () => {
    server = await createTestRedis()
    await server.start()
    redis = await connectTestClient(server.url)
  })

  recentRingContract('redis', {
    holds: true,
    hourMinute,
    create: async () => ({ ring: ringOn(redis).ring, other: ringOn(redis).ring, identity: identityOn(redis) }),
  })

  describe('values', () => {
    test('end with their hour, however often they are pushed to', async () => {
      const { ring, config } = ringOn(redis)
      const identity = identityOn(redis)
      await ring.push(identity, one)
      await ring.push(identity, one)
      const key = `${config.prefix}:${identity.epoch}:${redis.runId?.slice(0, 8)}:${ringKey({ seriesId: 1, tag: 7 }, hourMinute / 60)}`
      const endsAtS = Number(await redis.call('expiretime', [key]))
      assert.equal(endsAtS, hourMinute * 60 + 49 * 3_600)
    })

    test('that were pushed to far too often are not covered, and never again', async () => {
      const { ring } = ringOn(redis)
      const identity = identityOn(redis)
      const pushesMax = valueBytesMax / 36 + 1
      const many = testRows(Array.from({ length: pushesMax }, () => ({ seriesId: 1, minute: hourMinute, seen: 3n })))
      await ring.push(identity, many)
      assert.equal(await covers(ring, identity), false)
      await ring.push(identity, one)
      assert.equal(await covers(ring, identity), false, 'an older state alone must not pass for all there is')
    })

    test('that are no records are not covered', async () => {
      const { ring, config } = ringOn(redis)
      const identity = identityOn(redis)
      await ring.push(identity, one)
      const prefix = `${config.prefix}:${identity.epoch}:${redis.runId?.slice(0, 8)}:`
      await redis.call('append', [prefix + ringKey({ seriesId: 1, tag: 7 }, hourMinute / 60), 'torn'])
      assert.equal(await covers(ring, identity), false)
    })
  })

  test('a large push goes in parts of bounded size, in order', async () => {
    const { ring } = ringOn(redis, { partBytesMax: 4_096 })
    const identity = identityOn(redis)
    const seriesIds = Array.from({ length: 3_000 }, (_, index) => index + 1)
    const states = seriesIds.map((seriesId) => ({ seriesId, minute: hourMinute + 1, seen: BigInt(seriesId) }))
    assert.equal(await ring.push(identity, testRows(states)), 'pushed')
    const covered = coveredOf(await ring.read(testQuestion(seriesIds, range, identity)))
    assert.equal(covered.size, 3_000)
    assert.equal(covered.get(`2999 ${hourMinute + 1}`), 3_000n)
  })

  test('a question for more keys than the setting is not tried', async () => {
    const { ring, countOf } = ringOn(redis, { readKeysMax: 3 })
    const ids = [1, 2, 3, 4]
    assert.equal(await ring.read(testQuestion(ids, range, identityOn(redis))), undefined)
    assert.equal(await countOf('minutely_ring_reads_total', 'large'), 1)
  })

  test('flushed between two reads, the second covers nothing', async () => {
    const { ring } = ringOn(redis)
    const identity = identityOn(redis)
    await ring.push(identity, one)
    await ring.mark(identity, 'x', 'begin')
    assert.equal(await covers(ring, identity), true)
    await redis.call('flushall', [])
    assert.equal(await covers(ring, identity), false)
    assert.equal(await ring.marked(identity), undefined)
    assert.equal(await ring.mark(identity, 'y', 'continue'), false)
  })

  describe('Redis', () => {
    test('restarted with its data is another ring', async () => {
      const own = await createTestRedis()
      await own.start(['--appendonly', 'yes', '--appendfsync', 'always'])
      const client = await connectTestClient(own.url)
      const { ring } = ringOn(client)
      const old = identityOn(client)
      await ring.push(old, one)
      assert.equal(await covers(ring, old), true)
      const ready = isReady(client, client.runId)
      await own.stop()
      assert.equal(await covers(ring, old), false)
      assert.equal(await ring.push(old, one), 'dropped')
      await own.start(['--appendonly', 'yes', '--appendfsync', 'always'])
      const runId = await ready
      assert.notEqual(runId, old.runId)
      assert.equal(Number(await client.call('dbsize', [])), 1, 'its data came back')
      assert.equal(await covers(ring, old), false)
      const adopted = { epoch: old.epoch, runId }
      assert.equal(await covers(ring, adopted), false)
      assert.equal(await ring.push(adopted, one), 'pushed')
      assert.equal(await covers(ring, adopted), true)
    })

    test('paused: a push is late, the rest of the queue and reads do without it; later pushes arrive', async () => {
      const own = await createTestRedis()
      await own.start()
      const client = await connectTestClient(own.url, { timeoutMs: 200 })
      const { ring, countOf } = ringOn(client, { writeBudgetMs: 20, readBudgetMs: 20, breakerMs: 0 })
      const identity = identityOn(client)
      own.pause()
      assert.equal(await ring.push(identity, one), 'late')
      assert.equal(await ring.read(testQuestion([1], range, identity)), undefined)
      assert.equal(await countOf('minutely_ring_reads_total', 'failed'), 1)
      own.resume()
      for (let tries = 0; !(await covers(ring, identity)) && tries < 1_000; tries++) await ring.push(identity, one)
      assert.equal(await covers(ring, identity), true)
    })

    test('full: refuses, and the ring is left alone until the breaker closes', async () => {
      const own = await createTestRedis()
      await own.start(['--maxmemory', '1', '--maxmemory-policy', 'noeviction'])
      const client = await connectTestClient(own.url)
      const time = new VirtualClock(clock.nowMs())
      const metrics = createRingMetrics(createRegistry())
      const ring = new RedisRecentRing(
        { ...patient, breakerMs: 5_000 },
        { redis: client, clock: time, log: silentLog, metrics },
      )
      const identity = identityOn(client)
      const results = async () => (await metrics.pushes.get()).values.map(({ labels, value }) => [labels.result, value])
      assert.equal(await ring.push(identity, one), 'dropped')
      assert.deepEqual(await results(), [['failed', 1]])
      await client.call('config', ['set', 'maxmemory', '0'])
      assert.equal(await ring.push(identity, one), 'dropped')
      assert.deepEqual(await results(), [
        ['failed', 1],
        ['breaker', 1],
      ])
      await time.advance(5_000)
      assert.equal(await ring.push(identity, one), 'pushed')
    })

    test('slower than the pushes: the queue is bounded, merged rows overtake', async () => {
      const own = await createTestRedis()
      await own.start()
      const client = await connectTestClient(own.url, { timeoutMs: 20_000 })
      const { ring, countOf } = ringOn(client, { writeBudgetMs: 1, queueBytesMax: 1_048_576 })
      const identity = identityOn(client)
      own.pause()
      const states = Array.from({ length: 8_000 }, (_, seriesId) => ({ seriesId, minute: hourMinute, seen: 1n }))
      const large = testRows(states)
      assert.equal(await ring.push(identity, large), 'late')
      assert.equal(await ring.push(identity, large), 'late')
      assert.equal(await ring.push(identity, large), 'dropped')
      assert.equal(await countOf('minutely_ring_pushes_total', 'full'), 1)
      const urgent = testRows([{ seriesId: 9_999, minute: hourMinute, seen: 1n }])
      assert.equal(await ring.push(identity, urgent, 'urgent'), 'late')
      own.resume()
      const last = testQuestion([9_999], range, identity)
      while (coveredOf(await ring.read(last)).size === 0) assert.equal(await ring.push(identity, one), 'late')
    })
  })
}
