/** What a change of a schema must keep: every release reads what every other one wrote. Needs no registry; CI stops here. */
import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { test } from 'node:test'
import { crc32 } from 'node:zlib'
import { releasedSchemaFiles, releasedSchemas, type SchemaName } from './released-schemas.ts'
import { CodecError, RecordCodec, recordCodec, type SampleRecord } from './sample-codec.ts'
import { unreadableBecause, VersionedType } from './versioned-type.ts'

const names = Object.keys(releasedSchemaFiles) as SchemaName[]
const fixture = (name: string): Buffer => readFileSync(new URL(`../fixtures/${name}`, import.meta.url))
const evolvedSchema = JSON.parse(fixture('evolved-sample-record.avsc').toString())
const incompatibleSchema = JSON.parse(fixture('incompatible-sample-record.avsc').toString())

/** These two evolve the first release, whatever is current. */
const first = releasedSchemas('sample-record').slice(0, 1)

/** Each pair that cannot read one another, and why. */
function conflicts(schemas: readonly unknown[]): string[] {
  return schemas.flatMap((writer, from) =>
    schemas.flatMap((reader, to) => {
      const reason = unreadableBecause({ writer, reader })
      return reason === undefined ? [] : [`version ${to + 1} cannot read version ${from + 1}: ${reason}`]
    }),
  )
}

for (const name of names) {
  test(`${name}: every version reads every other (FULL_TRANSITIVE)`, () => {
    const found = conflicts(releasedSchemas(name))
    assert.deepEqual(found, [], 'give a new field a default, remove none that has no default: docs/schema-evolution.md')
  })
}

test('a field without a default is found to be incompatible, one with a default is not', () => {
  assert.deepEqual(conflicts([...first, evolvedSchema]), [])
  const [found = '', ...others] = conflicts([...first, incompatibleSchema])
  assert.match(found, /^version 2 cannot read version 1: .*collectorId/)
  assert.deepEqual(others, [])
})

test('every schema file is listed once, those of history before the current one', () => {
  const files = (folder: string): string[] =>
    readdirSync(new URL(`../avro/${folder}`, import.meta.url)).filter((file) => file.endsWith('.avsc'))
  const there = [...files('history/').map((file) => `history/${file}`), ...files('')]
  assert.deepEqual(Object.values(releasedSchemaFiles).flat().sort(), there.sort())
  for (const name of names) {
    const old = releasedSchemaFiles[name].slice(0, -1)
    const expected = [...old.map((_, index) => `history/${name}-${index + 1}.avsc`), `${name}.avsc`]
    assert.deepEqual(releasedSchemaFiles[name], expected)
  }
})

test('a series list has one version: its bytes could not say which', () => {
  assert.equal(releasedSchemaFiles['series-list'].length, 1)
})

test('records of the first release in Kafka name a schema that is still known, and have the checksum they had', () => {
  const payload = fixture('sample-record-v1.bin')
  const described = JSON.parse(fixture('kafka-record-v1.json').toString())
  for (const { prefix, minutely } of [described.confluent, described.singleObject]) {
    const header = Buffer.from(minutely, 'hex')
    const value = Buffer.concat([Buffer.from(prefix, 'hex'), payload.subarray(1)])
    assert.equal(recordCodec.versionOf(header.subarray(0, 8))?.version, 1)
    assert.equal(header.readUInt32BE(8), crc32(value))
  }
})

const record: SampleRecord = {
  receivedAtMs: 1764028815500,
  sections: [
    {
      tenantId: 't',
      serverId: 's',
      startMs: 0,
      stepMs: 1000,
      slotCount: 1,
      series: Buffer.alloc(1),
      values: Buffer.alloc(8),
    },
  ],
}
const plain = (value: unknown): unknown => JSON.parse(JSON.stringify(value))

test('the release after a change reads records of both, the release before it those of the next one by their schema', () => {
  const today = new RecordCodec(first)
  const next = new RecordCodec([...first, evolvedSchema])
  assert.deepEqual(plain(next.decode(today.encode(record))), plain({ ...record, collectorId: '' }))
  const written = next.encode({ ...record, collectorId: 'c-1' } as SampleRecord)
  assert.deepEqual(plain(next.decode(written)), plain({ ...record, collectorId: 'c-1' }))

  assert.throws(() => today.decode(written), /record version 2 is none of 1 to 1/)
  const translate = today.translatorFrom(evolvedSchema)
  assert.deepEqual(translate(written.subarray(1)), today.encode(record))
  assert.deepEqual(plain(today.decode(translate(written.subarray(1)))), plain(record))
})

test('bytes of a stranger with a schema of his own are walked by that schema before anything is built', () => {
  const translate = recordCodec.translatorFrom(evolvedSchema)
  const claims = Buffer.from('00' + '00' + '808080808080808010', 'hex')
  assert.throws(
    () => translate(claims),
    (error) => error instanceof CodecError && /claims more than/.test(error.message),
  )
})

test('a schema that cannot become ours is refused with the reason', () => {
  const withoutSections = {
    type: 'record',
    name: 'minutely.SampleRecord',
    fields: [{ name: 'receivedAtMs', type: 'long' }],
  }
  const recursive = {
    type: 'record',
    name: 'minutely.SampleRecord',
    fields: [{ name: 'next', type: ['null', 'minutely.SampleRecord'] }],
  }
  assert.throws(() => recordCodec.translatorFrom(withoutSections), /sections/)
  assert.throws(() => recordCodec.translatorFrom(recursive), /contains itself/)
  assert.throws(() => recordCodec.translatorFrom({ type: 'nonsense' }), CodecError)
})

test('a writer may use any type of Avro for what we do not read', () => {
  const type = (name: string, schema: unknown) => ({ name, type: schema })
  const all = {
    type: 'record',
    name: 'x.All',
    fields: [
      type('e', { type: 'enum', name: 'E', symbols: ['A', 'B'] }),
      type('f', { type: 'fixed', name: 'F', size: 3 }),
      type('again', 'x.F'),
      type('u', ['null', 'E', 'double']),
      type('m', { type: 'map', values: { type: 'array', items: 'boolean' } }),
      type('n', 'null'),
      type('g', 'float'),
      type('kept', 'long'),
    ],
  }
  const reader = { type: 'record', name: 'x.All', fields: [type('kept', 'long')] }
  const three = Buffer.alloc(3)
  const bytes = new VersionedType([all], 100).encode({
    ...{ e: 'B', f: three, again: three, u: 1.5, m: { a: [true, false] }, n: null, g: 2, kept: 42 },
  })
  const decode = new VersionedType([reader], 100).decoderFor(all)
  assert.deepEqual(plain(decode(bytes)), { kept: 42 })
  for (let length = 0; length < bytes.length; length++) assert.throws(() => decode(bytes.subarray(0, length)))
})
