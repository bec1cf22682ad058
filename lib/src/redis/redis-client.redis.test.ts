/** Connections to a real Redis that goes away, comes back, hangs, or is a replica. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { SystemClock } from '../clock.ts'
import { silentLog } from '../postgres/test-database.ts'
import { RedisError, type RedisFailure, redisScript } from './redis-client.ts'
import { createRedisSubscriber } from './redis-subscriber.ts'
import { connectTestClient, createTestRedis, isReady, redisConfig, withoutRedisServer } from './test-redis.ts'

const failsAs = (reason: RedisFailure) => (error: unknown) => error instanceof RedisError && error.reason === reason

describe('a connection to Redis', { skip: withoutRedisServer }, () => {
  test('knows the run id, and a new one after a restart; in between commands fail at once', async () => {
    const server = await createTestRedis()
    await server.start()
    const client = await connectTestClient(server.url)
    const before = client.runId
    assert.match(before ?? '', /^[0-9a-f]{40}$/)
    const ready = isReady(client, before)
    await server.stop('SIGKILL')
    await assert.rejects(client.call('ping', []), failsAs('disconnected'))
    await assert.rejects(client.call('ping', []), failsAs('disconnected'))
    await server.start()
    assert.notEqual(await ready, before)
    assert.equal(await client.call('ping', []), 'PONG')
  })

  test('fails commands that are not answered in time, and those past the queue’s bytes', async () => {
    const server = await createTestRedis()
    await server.start()
    const client = await connectTestClient(server.url, { queueBytesMax: 1_000 })
    server.pause()
    await assert.rejects(client.call('set', ['a', 'x'.repeat(600)], { timeoutMs: 10 }), failsAs('timeout'))
    await assert.rejects(client.call('set', ['b', 'x'.repeat(600)], { timeoutMs: 10 }), failsAs('full'))
    server.resume()
    // What timed out was sent all the same, and the bytes are free again once it is answered.
    assert.equal(await client.call('strlen', ['a']), 600)
    assert.equal(await client.call('set', ['b', 'x'.repeat(600)]), 'OK')
  })

  test('sends a script when Redis lacks it, and says what Redis refuses', async () => {
    const server = await createTestRedis()
    await server.start()
    const client = await connectTestClient(server.url)
    const script = redisScript("return redis.call('APPEND', ARGV[1], ARGV[2])")
    const bytes = Buffer.from([0, 255, 128])
    assert.equal(await client.runScript(script, ['k', bytes]), 3)
    assert.equal(await client.runScript(script, ['k', bytes]), 6)
    await client.call('script', ['flush'])
    assert.equal(await client.runScript(script, ['k', bytes]), 9)
    assert.deepEqual(await client.callBuffer('get', ['k']), Buffer.concat([bytes, bytes, bytes]))
    await assert.rejects(client.call('lpush', ['k', 'x']), failsAs('refused'))
  })

  test('does not take a replica, and leaves one that was a primary', async () => {
    const [primary, other] = [await createTestRedis(), await createTestRedis()]
    await Promise.all([primary.start(), other.start()])
    const client = await connectTestClient(primary.url)
    const admin = await connectTestClient(primary.url)
    const before = client.runId
    await admin.call('replicaof', ['127.0.0.1', other.port])
    await assert.rejects(client.call('set', ['a', 'b']), RedisError)
    while (client.runId !== undefined) await new Promise((resolve) => setImmediate(resolve))
    const ready = isReady(client)
    // No connection of ours is taken now; speak to it as any client would.
    const back = new (await import('node:net')).Socket()
    back.connect(primary.port, '127.0.0.1', () => back.end('REPLICAOF NO ONE\r\n'))
    assert.equal(await ready, before)
  })

  test('publishes to subscriptions, which outlive a restart', async () => {
    const server = await createTestRedis()
    await server.start()
    const client = await connectTestClient(server.url)
    const subscriber = createRedisSubscriber(redisConfig(server.url), 'test', {
      log: silentLog,
      clock: new SystemClock(),
    })
    await subscriber.start()
    const got: string[] = []
    let arrived = (): void => {}
    const ready = (): Promise<void> => new Promise((resolve) => void subscriber.onReady(resolve))
    await ready()
    const end = subscriber.subscribe('c', (message) => {
      got.push(message.toString())
      arrived()
    })
    const publish = async (message: string): Promise<void> => {
      const arrival = new Promise<void>((resolve) => {
        arrived = resolve
      })
      while ((await client.publish('c', message)) === 0) await new Promise((resolve) => setImmediate(resolve))
      await arrival
    }
    await publish('one')
    const again = isReady(client, client.runId)
    await server.stop('SIGKILL')
    await server.start()
    await again
    await publish('two')
    assert.deepEqual(got, ['one', 'two'])
    end()
    while ((await client.publish('c', 'nobody')) > 0) await new Promise((resolve) => setImmediate(resolve))
    assert.deepEqual(
      got.filter((message) => message !== 'nobody'),
      ['one', 'two'],
    )
    await subscriber.stop()
  })
})
