/** Framing where the registry is never asked: its address is a closed port in all of these. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { crc32 } from 'node:zlib'
import { RecordCodec } from '@minutely/schema/sample-codec'
import fc from 'fast-check'
import { Registry } from 'prom-client'
import { SystemClock } from '../clock.ts'
import { type FramedRecord, UnreadableRecordError } from '../kafka-log/record-framing.ts'
import { ConfluentRegistry } from './confluent-registry.ts'
import { framingHeader, RegistryFraming } from './registry-framing.ts'
import { SchemaLookup } from './schema-lookup.ts'
import { createSchemaRegistryMetrics } from './schema-registry-metrics.ts'
import { firstCodec } from './test-registry.ts'

const fixture = (name: string): Buffer => readFileSync(new URL(`../../../schema/fixtures/${name}`, import.meta.url))
const payload = fixture('sample-record-v1.bin')
const golden = JSON.parse(fixture('kafka-record-v1.json').toString())

function framingOf(codec: RecordCodec): RegistryFraming {
  const clock = new SystemClock()
  const metrics = createSchemaRegistryMetrics(new Registry())
  const connection = { url: 'http://127.0.0.1:1', user: '', password: '', timeoutMs: 1000 }
  const registry = new ConfluentRegistry(connection, { clock, metrics })
  const config = { subject: 'x', retryMs: 1000, schemasMax: 10 }
  return new RegistryFraming({ codec, lookup: new SchemaLookup(config, { codec, registry, clock, metrics }), metrics })
}

function goldenRecord({ prefix, minutely }: { prefix: string; minutely: string }): FramedRecord {
  const value = Buffer.concat([Buffer.from(prefix, 'hex'), payload.subarray(1)])
  return { value, headers: { [framingHeader]: Buffer.from(minutely, 'hex') } }
}

function refusedFor(reason: string, record: FramedRecord): void {
  assert.throws(
    () => framingOf(firstCodec).unframe(record),
    (error) => error instanceof UnreadableRecordError && error.reason === reason,
    reason,
  )
}

/** With a checksum that fits, so that what is behind it is judged. */
function withChecksum(value: Buffer, fingerprint: Buffer = firstCodec.current.fingerprint): FramedRecord {
  const header = Buffer.alloc(12)
  fingerprint.copy(header)
  header.writeUInt32BE(crc32(value), 8)
  return { value, headers: { [framingHeader]: header } }
}

test('records are framed as in the first release, before and after the registry gave an id, and read again', () => {
  const framing = framingOf(firstCodec)
  assert.deepEqual(framing.frame(payload), goldenRecord(golden.singleObject))
  assert.deepEqual(framing.unframe(goldenRecord(golden.singleObject)), payload)
  framing.useSchemaId(golden.schemaId)
  assert.deepEqual(framing.frame(payload), goldenRecord(golden.confluent))
  assert.deepEqual(framing.unframe(goldenRecord(golden.confluent)), payload)
})

test('a payload of our schema is not copied', () => {
  const record = goldenRecord(golden.confluent)
  const read = framingOf(firstCodec).unframe(record)
  assert.ok(Buffer.isBuffer(read))
  assert.equal(read.buffer, record.value.buffer)
  assert.equal(read.byteOffset, record.value.byteOffset + 4)
})

test('after a change of the schema, records of the release before are read without the registry', () => {
  const evolved = new RecordCodec([
    firstCodec.current.schema,
    JSON.parse(fixture('evolved-sample-record.avsc').toString()),
  ])
  for (const form of [golden.confluent, golden.singleObject]) {
    const read = framingOf(evolved).unframe(goldenRecord(form))
    assert.ok(Buffer.isBuffer(read))
    const { sections, receivedAtMs } = evolved.decode(read)
    assert.equal(receivedAtMs, firstCodec.decode(payload).receivedAtMs)
    assert.equal(sections.length, 2)
  }
})

test('any changed byte of the value is found by the checksum', () => {
  fc.assert(
    fc.property(fc.nat(), fc.integer({ min: 1, max: 255 }), (at, change) => {
      const record = goldenRecord(golden.confluent)
      const index = at % record.value.length
      record.value[index] = (record.value[index] ?? 0) ^ change
      refusedFor('checksum', record)
    }),
  )
})

test('wrong marks, short values and headers of another length are told apart', () => {
  refusedFor('bad-frame', withChecksum(Buffer.from('{"a":1}')))
  refusedFor('bad-frame', withChecksum(Buffer.from('c302000000', 'hex')))
  refusedFor('truncated', withChecksum(Buffer.alloc(0)))
  refusedFor('truncated', withChecksum(Buffer.from('00000000', 'hex')))
  refusedFor('truncated', withChecksum(Buffer.from('c3012233', 'hex')))
  const { value } = goldenRecord(golden.confluent)
  refusedFor('bad-frame', { value, headers: { [framingHeader]: Buffer.alloc(4) } })
  const { value: own } = goldenRecord(golden.singleObject)
  refusedFor('bad-frame', withChecksum(own, Buffer.alloc(8, 7)))
})

test('a payload of another version than the one that is written is our own mistake', () => {
  assert.throws(() => framingOf(firstCodec).frame(Buffer.from([9, 0, 0])), /BUG: a payload of version 9/)
})
