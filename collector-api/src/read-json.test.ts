/** JSON that is too much, or none: refused before it costs memory, with where and why. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { findJsonExcess, jsonLimits } from './json-bounds.ts'
import { findJsonFault } from './json-fault.ts'
import { readJson } from './read-json.ts'

const read = (text: string) => readJson(Buffer.from(text))
const excessOf = (text: string) => findJsonExcess(Buffer.from(text))

test('limits are exact, and blind to what is inside strings', () => {
  assert.equal(excessOf(`${'['.repeat(jsonLimits.depth)}${']'.repeat(jsonLimits.depth)}`), null)
  assert.deepEqual(excessOf('['.repeat(9)), { kind: 'depth', max: 8, position: 8 })
  assert.equal(excessOf(JSON.stringify({ 'a[[[[[[[[[[[[': '{{{{{{{{{{"\\[[[[[[[[[[[[[[[[' })), null)
  assert.equal(excessOf(`[${'[],'.repeat(jsonLimits.containers - 2)}[]]`), null)
  assert.equal(excessOf(`[${'[],'.repeat(jsonLimits.containers - 1)}[]]`)?.kind, 'containers')
  assert.equal(excessOf(`[${'0,'.repeat(jsonLimits.elements)}0]`), null)
  assert.equal(excessOf(`[${'0,'.repeat(jsonLimits.elements + 1)}0]`)?.kind, 'elements')
})

test('many keys are fine, many different ones are not', () => {
  const keys = (count: number) => Array.from({ length: count }, (_, index) => `"k${index}":0`).join()
  assert.equal(excessOf(`[${'{"serverId":1,"b":2},'.repeat(100_000)}0]`), null)
  assert.equal(excessOf(`{${keys(9_000)}}`), null)
  // Hash collisions make the count a little less than exact.
  assert.equal(excessOf(`{${keys(12_000)}}`)?.kind, 'keys')
  assert.equal(excessOf(`{${keys(1_200_000)}}`)?.kind, 'keys')
})

test('a long string before millions of colons is hashed once', () => {
  // 16 million million steps if it were not.
  assert.equal(excessOf(`"${'x'.repeat(4_000_000)}"${':'.repeat(4_000_000)}`), null)
})

test('a fault is found exactly where JSON.parse refuses', () => {
  const piece = fc.constantFrom(
    ...[
      '{',
      '}',
      '[',
      ']',
      ':',
      ',',
      '"',
      '"a"',
      '"\\u00e9"',
      '"\\u00',
      '\\',
      '1',
      '-0.5e+3',
      '01',
      '-',
      '1.',
      'true',
      'nul',
      'NaN',
      ' ',
      '\n',
      '\u0001',
      '😀',
    ],
  )
  const nearJson = fc
    .tuple(fc.json(), fc.nat(), piece)
    .map(
      ([text, at, extra]) => text.slice(0, at % (text.length + 1)) + extra + text.slice((at % (text.length + 1)) + 1),
    )
  const text = fc.oneof(
    fc.json(),
    nearJson,
    fc.array(piece).map((pieces) => pieces.join('')),
  )
  const isJson = (candidate: string): boolean => {
    try {
      JSON.parse(candidate)
      return true
    } catch {
      return false
    }
  }
  fc.assert(
    fc.property(text, (candidate) => {
      assert.equal(findJsonFault(candidate) === null, isJson(candidate))
    }),
    { numRuns: 5000 },
  )
})

test('messages say where', () => {
  assert.throws(() => read('{"samples":[{"value":NaN}]}'), {
    id: 'body-unreadable',
    message: /at character 21, value was expected, not "NaN}\]}"/,
  })
  assert.throws(() => read('{"samples":[{"value":1'), { id: 'body-unreadable', details: { position: 22 } })
  assert.throws(() => read(''), { id: 'body-unreadable', details: { position: 0 } })
  assert.throws(() => read('{"a":'.repeat(9)), {
    id: 'body-unreadable',
    message: /Byte 40 .* deeper than 8/,
  })
  assert.throws(() => readJson(Buffer.from([0x22, 0xff, 0x22])), { id: 'body-unreadable', message: /UTF-8/ })
  for (const body of ['[]', '1', 'null', '{}', '{"series":1}', '{"samples":{}}', '{"series":[],"samples":[]}']) {
    assert.throws(() => read(body), { id: 'body-unreadable', message: /expected \{"serverId"/ })
  }
})

test('keys of Object.prototype stay data', () => {
  assert.throws(() => read('{"__proto__":{"samples":[]},"constructor":{"prototype":{"samples":[]}}}'), {
    id: 'body-unreadable',
  })
  assert.equal(Object.hasOwn(Object.prototype, 'samples'), false)
})
