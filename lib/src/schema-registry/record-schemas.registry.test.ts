/** Releases side by side, and what a registry can do to them; against a real one (test-registry.ts). */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { afterEach, beforeEach, suite, test } from 'node:test'
import { crc32 } from 'node:zlib'
import { RecordCodec, type SampleRecord } from '@minutely/schema/sample-codec'
import { type FramedRecord, SchemaUnavailableError, UnreadableRecordError } from '../kafka-log/record-framing.ts'
import { SchemaRefusedError } from './confluent-registry.ts'
import { framingHeader } from './registry-framing.ts'
import { firstCodec, registryUrl, TestRegistry } from './test-registry.ts'

const fixture = (name: string): unknown =>
  JSON.parse(readFileSync(new URL(`../../../schema/fixtures/${name}.avsc`, import.meta.url), 'utf8'))
const released = firstCodec.versions.map(({ schema }) => schema)
/** Schema n + 1: a field more, with a default. */
const nextCodec = new RecordCodec([...released, fixture('evolved-sample-record')])

const record: SampleRecord = {
  receivedAtMs: 1764028815500,
  sections: [
    {
      ...{ tenantId: 't', serverId: 's', startMs: 0, stepMs: 1000, slotCount: 1 },
      ...{ series: Buffer.from('list'), values: Buffer.alloc(8, 1) },
    },
  ],
}
const nextRecord = { ...record, collectorId: 'collector-3' }
const plain = (value: unknown): unknown => JSON.parse(JSON.stringify(value))
const idPath = /\/schemas\/ids\//

/** frame's value may be changed by the reader. */
function copyOf({ value, headers }: FramedRecord): FramedRecord {
  return { value: Buffer.from(value), headers }
}

const unreadable = (reason: string, message: RegExp) => (error: unknown) =>
  error instanceof UnreadableRecordError && error.reason === reason && message.test(error.message)

suite('record schemas with a registry', { skip: registryUrl === '' && 'SCHEMA_REGISTRY_URL is not set' }, () => {
  let registry: TestRegistry

  beforeEach(async () => {
    registry = await new TestRegistry().start()
  })

  afterEach(() => registry.stop())

  test('old and new writers and readers understand each other, by ids of the registry', async () => {
    const oldWriter = registry.process({ role: 'writer' })
    const newWriter = registry.process({ role: 'writer', codec: nextCodec })
    await oldWriter.start()
    await newWriter.start()
    const old = oldWriter.framing.frame(firstCodec.encode(record))
    const next = newWriter.framing.frame(nextCodec.encode(nextRecord))
    assert.equal(old.value[0], 0)
    assert.notEqual(old.value.readInt32BE(1), next.value.readInt32BE(1))

    const oldReader = registry.process({ role: 'reader' }).framing
    const newReader = registry.process({ role: 'reader', codec: nextCodec }).framing
    const byOld = async (framed: FramedRecord) => plain(firstCodec.decode(await oldReader.unframe(copyOf(framed))))
    const byNew = async (framed: FramedRecord) => plain(nextCodec.decode(await newReader.unframe(copyOf(framed))))
    assert.deepEqual(await byOld(old), plain(record))
    assert.deepEqual(await byOld(next), plain(record))
    assert.deepEqual(await byNew(old), plain({ ...record, collectorId: '' }))
    assert.deepEqual(await byNew(next), plain(nextRecord))
  })

  test('a schema is asked for once, however many records have it, and then never again', async () => {
    const writer = registry.process({ role: 'writer', codec: nextCodec })
    await writer.start()
    const reader = registry.process({ role: 'reader' }).framing
    const framed = () => writer.framing.frame(nextCodec.encode(nextRecord))
    await Promise.all(Array.from({ length: 20 }, () => reader.unframe(framed())))
    assert.equal(registry.requests.filter((request) => idPath.test(request)).length, 1)
    registry.mode = 'down'
    for (let count = 0; count < 20; count++) assert.ok(Buffer.isBuffer(reader.unframe(framed())))
    assert.equal(registry.requests.filter((request) => idPath.test(request)).length, 1)
  })

  test('an incompatible schema is refused at start, and the person is told by whom, why and what to do', async () => {
    await registry.process({ role: 'writer' }).start()
    const codec = new RecordCodec([fixture('incompatible-sample-record')])
    const writer = registry.process({ role: 'writer', codec })
    await assert.rejects(writer.start(), (error) => {
      assert.ok(error instanceof SchemaRefusedError)
      assert.match(error.message, new RegExp(`under subject ${registry.subject}`))
      assert.match(error.message, /collectorId|incompatible/i)
      assert.match(error.message, /FULL_TRANSITIVE/)
      assert.match(error.message, /give every new field a default.*docs\/schema-evolution\.md/)
      return true
    })
    assert.match(await writer.metrics(), /minutely_schema_registry_refusal_active 1/)
  })

  test('transitive: a schema that fits the last version only is refused too', async () => {
    const without = structuredClone(released[0]) as { fields: { name: string; default?: unknown }[] }
    const added = structuredClone(fixture('evolved-sample-record')) as typeof without
    await registry.process({ role: 'writer', codec: new RecordCodec([without]) }).start()
    await registry.process({ role: 'writer', codec: new RecordCodec([added]) }).start()
    for (const field of added.fields) if (field.name === 'collectorId') delete field.default
    await assert.rejects(
      registry.process({ role: 'writer', codec: new RecordCodec([added]) }).start(),
      SchemaRefusedError,
    )
  })

  test('a subject whose compatibility somebody changed is refused with what to set', async () => {
    await registry.process({ role: 'writer' }).start()
    const headers = { 'content-type': 'application/vnd.schemaregistry.v1+json' }
    const body = JSON.stringify({ compatibility: 'BACKWARD' })
    await fetch(`${registryUrl}/config/${registry.subject}`, { method: 'PUT', headers, body })
    await assert.rejects(registry.process({ role: 'writer' }).start(), /FULL_TRANSITIVE != BACKWARD.*PUT \/config\//)
  })

  test('processes that register the same new subject at the same time do not refuse each other', async () => {
    // Seen when two collectors of a new deployment started at once.
    const message = "A rule named 'COMPATIBILITY' already exists."
    registry.conflicts.push({ request: /^PUT \/config\//, status: 409, message })
    const writers = Array.from({ length: 8 }, () => registry.process({ role: 'writer' }))
    await Promise.all(writers.map((writer) => writer.start()))
    const framed = writers.map(({ framing }) => framing.frame(firstCodec.encode(record)).value.readInt32BE(1))
    assert.equal(new Set(framed).size, 1, 'all have one id')
  })

  test('a subject that a registration cut short left without compatibility gets it', async () => {
    await registry.registerOther(released[0], '')
    await registry.process({ role: 'writer' }).start()
    const { compatibilityLevel } = (await (await fetch(`${registryUrl}/config/${registry.subject}`)).json()) as {
      compatibilityLevel: string
    }
    assert.equal(compatibilityLevel, 'FULL_TRANSITIVE')
  })

  for (const mode of ['down', 'silent'] as const) {
    test(`registry ${mode} at start: records are written without an id and read, until it is back`, async () => {
      registry.mode = mode
      const writer = registry.process({ role: 'writer', config: { timeoutMs: 1000 } })
      await writer.start()
      const framed = writer.framing.frame(firstCodec.encode(record))
      assert.equal(framed.value.toString('hex', 0, 2), 'c301')
      assert.match(await writer.metrics(), /minutely_schema_framing_active\{framing="single-object"\} 1/)
      for (const codec of [firstCodec, nextCodec]) {
        const read = registry.process({ role: 'reader', codec }).framing.unframe(copyOf(framed))
        assert.ok(Buffer.isBuffer(read))
        assert.equal(codec.decode(read).receivedAtMs, record.receivedAtMs)
      }
      registry.mode = 'up'
      await writer.logged(/the schema registry knows our record schema/)
      assert.equal(writer.framing.frame(firstCodec.encode(record)).value[0], 0)
      assert.match(await writer.metrics(), /minutely_schema_framing_active\{framing="confluent"\} 1/)
    })

    test(`registry ${mode} later: only an unknown schema has to wait, and is read when it is back`, async () => {
      const writer = registry.process({ role: 'writer' })
      const newWriter = registry.process({ role: 'writer', codec: nextCodec })
      await writer.start()
      await newWriter.start()
      registry.mode = mode
      const reader = registry.process({ role: 'reader', config: { timeoutMs: 1000 } }).framing
      const known = writer.framing.frame(firstCodec.encode(record))
      assert.equal(known.value[0], 0)
      assert.ok(Buffer.isBuffer(reader.unframe(known)))
      const unknown = newWriter.framing.frame(nextCodec.encode(nextRecord))
      await assert.rejects(async () => reader.unframe(copyOf(unknown)), SchemaUnavailableError)
      registry.mode = 'up'
      assert.deepEqual(plain(firstCodec.decode(await reader.unframe(copyOf(unknown)))), plain(record))
    })
  }

  test("a newer writer's records without an id wait until its schema is registered", async () => {
    registry.mode = 'down'
    const newWriter = registry.process({ role: 'writer', codec: nextCodec })
    await newWriter.start()
    const framed = newWriter.framing.frame(nextCodec.encode(nextRecord))
    const other = await new TestRegistry().start()
    // The same registry through a door that is open, and a subject that has nothing yet.
    const reader = other.process({ role: 'reader', config: { subject: registry.subject } }).framing
    await assert.rejects(async () => reader.unframe(copyOf(framed)), SchemaUnavailableError)
    registry.mode = 'up'
    await newWriter.logged(/the schema registry knows our record schema/)
    let read: Buffer | undefined
    // Not known is remembered for retryMs, 50 ms.
    while (read === undefined) {
      read = await Promise.resolve(reader.unframe(copyOf(framed))).catch((error) => {
        assert.ok(error instanceof SchemaUnavailableError)
        return new Promise<undefined>((resolve) => setImmediate(() => resolve(undefined)))
      })
    }
    assert.deepEqual(plain(firstCodec.decode(read)), plain(record))
    await other.stop()
  })

  test('an id the registry does not have is unreadable, and not asked for with every record', async () => {
    const writer = registry.process({ role: 'writer', codec: nextCodec })
    const framed = writer.framing.frame(nextCodec.encode(nextRecord))
    const value = Buffer.concat([Buffer.from('007fffff00', 'hex'), framed.value.subarray(10)])
    const reader = registry.process({ role: 'reader', config: { retryMs: 60_000 } }).framing
    // Without our header, as somebody else writes it.
    for (let count = 0; count < 5; count++) {
      const foreign = { value, headers: {} }
      await assert.rejects(async () => reader.unframe(foreign), unreadable('unknown-schema', /id 2147483392/))
    }
    assert.equal(registry.requests.length, 1)
  })

  test('a record of somebody else, without our header, is read by its id', async () => {
    const writer = registry.process({ role: 'writer', codec: nextCodec })
    await writer.start()
    const { value } = writer.framing.frame(nextCodec.encode(nextRecord))
    const reader = registry.process({ role: 'reader' }).framing
    const read = await reader.unframe({ value: Buffer.from(value), headers: {} })
    assert.deepEqual(plain(firstCodec.decode(read)), plain(record))
    const damaged = { value: Buffer.from(value.subarray(0, -1)), headers: {} }
    await assert.rejects(async () => reader.unframe(damaged), unreadable('undecodable', /sample record/))
  })

  test('a registry that was wiped and gave the id to another schema never decides how a record is read', async () => {
    const writer = registry.process({ role: 'writer', codec: nextCodec })
    await writer.start()
    const ours = writer.framing.frame(nextCodec.encode(nextRecord))
    const reassigned = await registry.registerOther(
      { type: 'record', name: `t${Date.now()}.Other`, fields: [{ name: 'x', type: 'bytes' }] },
      '-other',
    )
    const value = Buffer.from(ours.value)
    value.writeInt32BE(reassigned, 1)
    const header = Buffer.from(ours.headers[framingHeader] ?? '')
    header.writeUInt32BE(crc32(value), 8)
    const moved = { value, headers: { [framingHeader]: header } }

    const reader = registry.process({ role: 'reader' }).framing
    assert.deepEqual(plain(firstCodec.decode(await reader.unframe(copyOf(moved)))), plain(record))
    const elsewhere = registry.process({ role: 'reader', config: { subject: `${registry.subject}-empty` } }).framing
    await assert.rejects(
      async () => elsewhere.unframe(copyOf(moved)),
      unreadable('unknown-schema', /No version of subject .* fingerprint .* the registry lost its data/),
    )
    const oldWriter = registry.process({ role: 'writer' }).framing.frame(firstCodec.encode(record))
    assert.ok(Buffer.isBuffer(elsewhere.unframe(oldWriter)))
  })

  test('a wrong path at the registry is not taken for an unknown schema', async () => {
    const origin = new URL(registryUrl).origin
    const newWriter = registry.process({ role: 'writer', codec: nextCodec })
    await newWriter.start()
    const framed = newWriter.framing.frame(nextCodec.encode(nextRecord))
    const reader = registry.process({ role: 'reader', config: { url: `${origin}/nowhere` } }).framing
    await assert.rejects(
      async () => reader.unframe(framed),
      (error) => error instanceof SchemaUnavailableError && /\/apis\/ccompat\/v7/.test(error.message),
    )
  })

  test('a writer that stops does so at once, though the registry is silent', async () => {
    registry.mode = 'silent'
    const writer = registry.process({ role: 'writer', config: { timeoutMs: 60_000 } })
    const started = writer.start()
    while (registry.requests.length === 0) await new Promise((resolve) => setImmediate(resolve))
    await writer.stop()
    await started
  })
})
