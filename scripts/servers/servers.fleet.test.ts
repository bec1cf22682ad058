/**
 * The servers that tests and developers get from `npm run servers` have the settings that Minutely relies on, or that
 * make its tests mean something.
 */
import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { test } from 'node:test'
import { Redis } from 'ioredis'
import kafkajs, { type Admin } from 'kafkajs'

// CommonJS whose names Node does not all see.
const { ConfigResourceTypes, Kafka, logLevel } = kafkajs

const hint = 'start them with npm run servers'

test('Kafka makes no topic that nobody created, and takes records of 1 MiB', async (t) => {
  const kafka = new Kafka({ brokers: setting('KAFKA_BOOTSTRAP').split(','), logLevel: logLevel.NOTHING })
  const admin = kafka.admin()
  await admin.connect()
  t.after(() => admin.disconnect())
  const name = `servers-test-${randomUUID()}`
  await assert.rejects(admin.fetchTopicMetadata({ topics: [name] }), { type: 'UNKNOWN_TOPIC_OR_PARTITION' })
  assert.ok(!(await admin.listTopics()).includes(name), 'asking for a topic has created it')

  const settings = await brokerSettings(admin)
  assert.equal(settings.get('auto.create.topics.enable'), 'false', hint)
  assert.ok(Number(settings.get('message.max.bytes')) >= 1_100_000, `message.max.bytes is too small; ${hint}`)
})

async function brokerSettings(admin: Admin): Promise<ReadonlyMap<string, string>> {
  const { brokers } = await admin.describeCluster()
  const resources = brokers
    .map(({ nodeId }) => ({ type: ConfigResourceTypes.BROKER, name: String(nodeId) }))
    .slice(0, 1)
  const { resources: found } = await admin.describeConfigs({ resources, includeSynonyms: false })
  return new Map(
    found.flatMap(({ configEntries }) => configEntries.map((entry) => [entry.configName, entry.configValue])),
  )
}

test('the registry refuses what is not compatible in both directions with every version', async (t) => {
  const registry = setting('SCHEMA_REGISTRY_URL')
  const subject = `servers-test-${randomUUID()}`
  t.after(async () => {
    await call(`${registry}/subjects/${subject}`, { method: 'DELETE' })
  })
  assert.deepEqual(
    await call(`${registry}/config`),
    { status: 200, body: { compatibilityLevel: 'FULL_TRANSITIVE' } },
    hint,
  )

  const register = (fields: readonly object[]) => {
    const schema = JSON.stringify({ type: 'record', name: 'Sample', fields })
    return call(`${registry}/subjects/${subject}/versions`, { method: 'POST', body: JSON.stringify({ schema }) })
  }
  const first = { name: 'a', type: 'long' }
  assert.equal((await register([first])).status, 200)
  assert.equal((await register([first, { name: 'b', type: 'long', default: 0 }])).status, 200)
  assert.equal((await register([first, { name: 'c', type: 'long' }])).status, 409)
})

async function call(url: string, init: RequestInit = {}): Promise<{ status: number; body: unknown }> {
  const headers = { 'content-type': 'application/vnd.schemaregistry.v1+json' }
  const answer = await fetch(url, { ...init, headers, signal: AbortSignal.timeout(10_000) })
  return { status: answer.status, body: await answer.json() }
}

test('Redis bounds its memory, evicts what would expire first and writes nothing to disk', async (t) => {
  const redis = new Redis(setting('REDIS_URL'))
  t.after(() => redis.disconnect())
  const value = async (name: string) => ((await redis.config('GET', name)) as string[])[1]
  assert.ok(Number(await value('maxmemory')) > 0, `maxmemory is unbounded; ${hint}`)
  assert.equal(await value('maxmemory-policy'), 'volatile-ttl', hint)
  assert.equal(await value('save'), '', hint)
  assert.equal(await value('appendonly'), 'no', hint)
})

function setting(name: string): string {
  const value = process.env[name]
  assert.ok(value, `${name} is not set; ${hint}`)
  return value
}
