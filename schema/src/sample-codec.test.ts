import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import {
  CodecError,
  decodeSampleBatch,
  decodeSampleRecord,
  decodeSeriesList,
  encodeSampleBatch,
  encodeSampleRecord,
  encodeSeriesList,
} from './sample-codec.ts'

const text = fc.string({ unit: 'binary', maxLength: 20 })
const millis = fc.integer({ min: -(2 ** 52), max: 2 ** 52 })
const bytes = fc.uint8Array({ maxLength: 64 }).map((array) => Buffer.from(array))
const block = fc.record({
  startMs: millis,
  stepMs: fc.integer(),
  slotCount: fc.integer(),
  series: bytes,
  values: bytes,
})
const batch = fc.record({ serverId: text, sentAtMs: millis, blocks: fc.array(block, { maxLength: 5 }) })
const section = fc.tuple(block, text, text).map(([block, tenantId, serverId]) => ({ ...block, tenantId, serverId }))
const record = fc.record({ receivedAtMs: millis, sections: fc.array(section, { maxLength: 5 }) })
const labels = fc
  .uniqueArray(fc.tuple(text, text), { maxLength: 5, selector: ([name]) => name })
  .map((pairs): Record<string, string> => {
    // Null prototype, as decoded ones have: `__proto__` is a name like any other.
    const map: Record<string, string> = Object.create(null)
    for (const [name, value] of pairs) map[name] = value
    return map
  })
const list = fc.array(fc.record({ metricId: text, labels }), { maxLength: 8 })

/** Plain data: avsc's objects have prototypes of their own. */
const plain = (value: unknown): unknown => JSON.parse(JSON.stringify(value))

test('a batch comes back as it was', () => {
  fc.assert(
    fc.property(batch, (batch) => assert.deepEqual(plain(decodeSampleBatch(encodeSampleBatch(batch))), plain(batch))),
  )
})

test('a record comes back as it was', () => {
  fc.assert(
    fc.property(record, (record) =>
      assert.deepEqual(plain(decodeSampleRecord(encodeSampleRecord(record))), plain(record)),
    ),
  )
})

test('a series list comes back as it was, labels sorted', () => {
  fc.assert(
    fc.property(list, (list) => {
      const decoded = decodeSeriesList(encodeSeriesList(list))
      assert.deepEqual(
        decoded.map(({ metricId }) => metricId),
        list.map(({ metricId }) => metricId),
      )
      for (const [index, { labels }] of decoded.entries()) {
        assert.deepEqual({ ...labels }, { ...list[index]?.labels })
        assert.deepEqual(
          Object.keys(labels).filter((name) => !/^\d+$/.test(name)),
          Object.keys(labels)
            .filter((name) => !/^\d+$/.test(name))
            .sort(),
        )
      }
    }),
  )
})

test('labels called __proto__ and constructor are labels', () => {
  const series = [{ metricId: 'm', labels: JSON.parse('{"__proto__":"a","constructor":"b"}') }]
  const [decoded] = decodeSeriesList(encodeSeriesList(series))
  assert.deepEqual(Object.entries(decoded?.labels ?? {}), [
    ['__proto__', 'a'],
    ['constructor', 'b'],
  ])
})

test('equal series give equal bytes, whatever the order of their labels', () => {
  assert.deepEqual(
    encodeSeriesList([{ metricId: 'm', labels: { b: '2', a: '1' } }]),
    encodeSeriesList([{ metricId: 'm', labels: { a: '1', b: '2' } }]),
  )
})

test('a plain Uint8Array within a larger buffer is encoded as itself', () => {
  const whole = new Uint8Array([9, 9, 1, 2, 3, 9])
  const view = whole.subarray(2, 5)
  const { blocks } = decodeSampleBatch(
    encodeSampleBatch({
      serverId: 's',
      sentAtMs: 0,
      blocks: [{ startMs: 0, stepMs: 1_000, slotCount: 1, series: view, values: view }],
    }),
  )
  assert.deepEqual([...(blocks[0]?.series ?? [])], [1, 2, 3])
})

const decoders = {
  batch: { decode: decodeSampleBatch, valid: batch.map(encodeSampleBatch), frameBytes: 10 },
  record: { decode: decodeSampleRecord, valid: record.map(encodeSampleRecord), frameBytes: 1 },
  list: { decode: decodeSeriesList, valid: list.map(encodeSeriesList), frameBytes: 0 },
}

function decodesOrRefuses(decode: (bytes: Buffer) => unknown, bytes: Buffer): void {
  try {
    decode(bytes)
  } catch (error) {
    assert.ok(error instanceof CodecError, `${error}`)
  }
}

for (const [name, { decode, valid, frameBytes }] of Object.entries(decoders)) {
  test(`${name}: every truncation is refused`, () => {
    fc.assert(
      fc.property(valid, fc.nat(), (bytes, cut) => {
        assert.throws(() => decode(bytes.subarray(0, cut % bytes.length)), CodecError)
      }),
    )
  })

  test(`${name}: bytes after the end are refused`, () => {
    fc.assert(
      fc.property(valid, fc.uint8Array({ minLength: 1 }), (bytes, more) => {
        assert.throws(() => decode(Buffer.concat([bytes, more])), CodecError)
      }),
    )
  })

  test(`${name}: garbage is refused as such or read, never anything else`, () => {
    fc.assert(
      fc.property(valid, fc.uint8Array({ maxLength: 200 }), (bytes, garbage) => {
        decodesOrRefuses(decode, Buffer.concat([bytes.subarray(0, frameBytes), garbage]))
        decodesOrRefuses(decode, Buffer.from(garbage))
      }),
      { numRuns: 3_000 },
    )
  })

  test(`${name}: with some bytes changed it is refused as such or read`, () => {
    const changes = fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 4 })
    fc.assert(
      fc.property(valid, changes, (bytes, changes) => {
        const changed = Buffer.from(bytes)
        for (const [at, value] of changes) changed[at % changed.length] = value
        decodesOrRefuses(decode, changed)
      }),
      { numRuns: 3_000 },
    )
  })
}

/** A zigzag varint. */
function long(value: bigint): Buffer {
  const bytes: number[] = []
  let rest = value >= 0n ? value * 2n : -value * 2n - 1n
  for (; rest >= 128n; rest >>= 7n) bytes.push(Number(rest & 127n) | 128)
  bytes.push(Number(rest))
  return Buffer.from(bytes)
}

const hostileLengths = [2n ** 31n, 2n ** 40n, 2n ** 53n, 2n ** 62n, -1n, -(2n ** 31n), -(2n ** 63n)]

for (const claimed of hostileLengths) {
  test(`${claimed} items or bytes that are not there are refused without building them`, () => {
    // Of a list: items of series; bytes of a name; labels of a series.
    const one = long(1n)
    const lists = [
      long(claimed),
      Buffer.concat([long(claimed), long(0n), one]),
      Buffer.concat([one, long(claimed)]),
      Buffer.concat([one, long(1n), Buffer.from('m'), long(claimed)]),
    ]
    for (const bytes of lists) assert.throws(() => decodeSeriesList(bytes), CodecError)
    const frame = encodeSampleRecord({ receivedAtMs: 0, sections: [] }).subarray(0, 2)
    assert.throws(() => decodeSampleRecord(Buffer.concat([frame, long(claimed)])), CodecError)
    const batchFrame = encodeSampleBatch({ serverId: '', sentAtMs: 0, blocks: [] }).subarray(0, 12)
    assert.throws(() => decodeSampleBatch(Buffer.concat([batchFrame, long(claimed)])), CodecError)
  })
}

test('another version, another mark and an unknown writer are named', () => {
  assert.throws(() => decodeSampleRecord(Buffer.from([2, 0, 0])), /record version 2 is none of 1 to 1/)
  assert.throws(() => decodeSampleRecord(Buffer.alloc(0)), /record version \(empty\) is none of 1 to 1/)
  assert.throws(() => decodeSampleBatch(Buffer.from('{"samples":[]}')), /C3 01/)
  assert.throws(() => decodeSampleBatch(Buffer.from('c3010011223344556677', 'hex')), /fingerprint 0011223344556677/)
})
