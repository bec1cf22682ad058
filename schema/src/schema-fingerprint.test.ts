import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { canonicalForm, schemaFingerprint } from './schema-fingerprint.ts'

/** Of Avro's own suite, share/test/data/schema-tests.txt: schema, canonical form, CRC-64-AVRO as a signed long. */
const vectors: [schema: unknown, canonical: string, fingerprint: bigint][] = [
  ['null', '"null"', 7195948357588979594n],
  [{ type: 'null' }, '"null"', 7195948357588979594n],
  ['boolean', '"boolean"', -6970731678124411036n],
  ['int', '"int"', 8247732601305521295n],
  [{ type: 'int' }, '"int"', 8247732601305521295n],
  ['long', '"long"', -3434872931120570953n],
  ['float', '"float"', 5583340709985441680n],
  ['double', '"double"', -8181574048448539266n],
  ['bytes', '"bytes"', 5746618253357095269n],
  ['string', '"string"', -8142146995180207161n],
  [['int', { type: 'boolean' }], '["int","boolean"]', 5392556393470105090n],
  [
    { fields: [], type: 'record', name: 'foo', doc: 'Useful info' },
    '{"name":"foo","type":"record","fields":[]}',
    -4824392279771201922n,
  ],
  [
    { fields: [], type: 'record', name: 'foo', namespace: 'x.y' },
    '{"name":"x.y.foo","type":"record","fields":[]}',
    5916914534497305771n,
  ],
  [
    { fields: [], type: 'record', name: 'a.b.foo', namespace: 'x.y' },
    '{"name":"a.b.foo","type":"record","fields":[]}',
    -4616218487480524110n,
  ],
  [
    {
      fields: [
        { type: 'boolean', aliases: [], name: 'f1', default: true },
        { order: 'descending', name: 'f2', doc: 'Hello', type: 'int' },
      ],
      type: 'record',
      name: 'foo',
    },
    '{"name":"foo","type":"record","fields":[{"name":"f1","type":"boolean"},{"name":"f2","type":"int"}]}',
    -4860222112080293046n,
  ],
  [
    { namespace: 'x.y.z', type: 'enum', name: 'foo', doc: 'foo bar', symbols: ['A1', 'A2'] },
    '{"name":"x.y.z.foo","type":"enum","symbols":["A1","A2"]}',
    -4448647247586288245n,
  ],
  [{ name: 'foo', type: 'fixed', size: 15 }, '{"name":"foo","type":"fixed","size":15}', 1756455273707447556n],
  [{ items: { type: 'null' }, type: 'array' }, '{"type":"array","items":"null"}', -589620603366471059n],
  [{ values: 'string', type: 'map' }, '{"type":"map","values":"string"}', -8732877298790414990n],
  [
    {
      name: 'PigValue',
      type: 'record',
      fields: [{ name: 'value', type: ['null', 'int', 'long', 'PigValue'] }],
    },
    '{"name":"PigValue","type":"record","fields":[{"name":"value","type":["null","int","long","PigValue"]}]}',
    -1759257747318642341n,
  ],
]

for (const [schema, canonical, fingerprint] of vectors) {
  test(`${JSON.stringify(schema).slice(0, 60)}: canonical form and fingerprint are Avro's`, () => {
    assert.equal(canonicalForm(schema, ''), canonical)
    assert.equal(schemaFingerprint(schema).readBigInt64LE(), fingerprint)
  })
}

const load = (name: string): unknown =>
  JSON.parse(readFileSync(new URL(`../avro/${name}.avsc`, import.meta.url), 'utf8'))

/** What agents in the field send: another number here means that they are not understood any more. */
test('the fingerprints of our schemas are those of the first release', () => {
  const names = ['sample-batch', 'series-list', 'sample-record']
  const fingerprints = Object.fromEntries(names.map((name) => [name, schemaFingerprint(load(name)).toString('hex')]))
  assert.deepEqual(fingerprints, {
    'sample-batch': '22d29c92cc899706',
    'series-list': '9c8d54a656deb383',
    'sample-record': 'a96dfb9c74d4ed8f',
  })
})

test('names within a namespace are qualified, documentation is left out', () => {
  const canonical = canonicalForm(load('sample-batch'), '')
  assert.match(canonical, /^\{"name":"minutely.SampleBatch","type":"record","fields":\[/)
  assert.match(canonical, /"items":\{"name":"minutely.Block","type":"record"/)
  assert.doesNotMatch(canonical, /doc|namespace/)
})
