import assert from 'node:assert/strict'
import { test } from 'node:test'
import { gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { crc32c } from './crc32c.ts'
import { ByteReader, ByteWriter } from './kafka-bytes.ts'
import { decodeRecordSet, encodeRecordBatch, type OutgoingRecord } from './record-batch.ts'

const bytes = (maxLength: number) => fc.uint8Array({ maxLength }).map((array) => Buffer.from(array))
const someRecord: fc.Arbitrary<OutgoingRecord> = fc.record({
  value: bytes(300),
  headers: fc.dictionary(
    fc.string({ maxLength: 8 }).filter((key) => key !== '__proto__'),
    bytes(20),
  ),
})
const someRecords = fc.array(someRecord, { minLength: 1, maxLength: 8 })
const neverCompressed = { nowMs: 1_764_028_800_123, compressBytesMin: Number.POSITIVE_INFINITY }

test('CRC-32C of the check value, of every alignment, and of nothing', () => {
  assert.equal(crc32c(Buffer.from('123456789')), 0xe3069283)
  assert.equal(crc32c(Buffer.alloc(0)), 0)
  const padded = Buffer.from('-------123456789')
  assert.equal(crc32c(padded.subarray(7)), 0xe3069283)
  assert.equal(crc32c(Buffer.alloc(32)), 0x8a9136aa)
})

test('varints and 64-bit numbers come back (property)', () => {
  fc.assert(
    fc.property(fc.integer(), fc.maxSafeInteger(), fc.string(), (small, large, word) => {
      const reader = new ByteReader(new ByteWriter().varint(small).int64(large).string(word).bytes)
      assert.equal(reader.varint(), small)
      assert.equal(reader.int64(), large)
      assert.equal(reader.string(), Buffer.from(word).toString())
      assert.equal(reader.left, 0)
    }),
  )
})

test('records of any batches come back with their offsets, compressed or not (property)', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(someRecords, fc.boolean()), { maxLength: 4 }), fc.nat(2 ** 40), (batches, first) => {
      let offset = first
      const expected: object[] = []
      const encoded = batches.map(([records, isCompressed]) => {
        const batch = encodeRecordBatch(records, { ...neverCompressed, compressBytesMin: isCompressed ? 0 : Infinity })
        placeAt(batch, offset)
        for (const { value, headers } of records) {
          expected.push({ offset: offset++, timestampMs: neverCompressed.nowMs, value, headers: { ...headers } })
        }
        return batch
      })
      const { records, nextOffset } = decodeRecordSet(Buffer.concat(encoded))
      assert.deepEqual(
        records.map(({ headers, ...rest }) => ({ ...rest, headers: { ...headers } })),
        expected,
      )
      assert.equal(nextOffset, batches.length === 0 ? undefined : offset)
    }),
  )
})

test('a set that was cut anywhere yields its whole batches and nothing else (property)', () => {
  const sizes = [10, 200, 0, 50]
  const whole = sizes.map((size, index) => {
    const batch = encodeRecordBatch([{ value: Buffer.alloc(size, index), headers: {} }], neverCompressed)
    placeAt(batch, index)
    return batch
  })
  const set = Buffer.concat(whole)
  fc.assert(
    fc.property(fc.nat(set.length), (cut) => {
      const ends = whole.map((_, index) => Buffer.concat(whole.slice(0, index + 1)).length)
      const count = ends.filter((end) => end <= cut).length
      const { records, nextOffset } = decodeRecordSet(set.subarray(0, cut))
      assert.equal(records.length, count)
      assert.equal(nextOffset, count === 0 ? undefined : count)
    }),
  )
})

test('a batch that cannot be unpacked is one damaged record, and its neighbours are read', () => {
  const record = { value: Buffer.alloc(5_000, 'x'), headers: {} }
  const batches = [0, 3, 6].map((offset) => {
    const batch = encodeRecordBatch([record, record, record], { ...neverCompressed, compressBytesMin: 0 })
    placeAt(batch, offset)
    return batch
  })
  batches[1]?.fill(0xff, 61, 80)
  const { records, nextOffset } = decodeRecordSet(Buffer.concat(batches))
  assert.deepEqual(
    records.map(({ offset, damage }) => [offset, damage !== undefined]),
    [
      [0, false],
      [1, false],
      [2, false],
      [3, true],
      [6, false],
      [7, false],
      [8, false],
    ],
  )
  assert.ok(records[3]?.value.equals(batches[1] ?? Buffer.alloc(0)))
  assert.equal(nextOffset, 9)
})

test('a batch that the broker has packed anew as gzip is read', () => {
  const records = [1, 2, 3].map((index) => ({ value: Buffer.from(`record ${index}`), headers: {} }))
  const plain = encodeRecordBatch(records, neverCompressed)
  const gzipped = Buffer.concat([plain.subarray(0, 61), gzipSync(plain.subarray(61))])
  gzipped.writeInt32BE(gzipped.length - 12, 8)
  gzipped.writeInt16BE(1, 21)
  gzipped.writeUInt32BE(crc32c(gzipped.subarray(21)), 17)
  assert.deepEqual(
    decodeRecordSet(gzipped).records.map(({ value, damage }) => [value.toString(), damage]),
    [1, 2, 3].map((index) => [`record ${index}`, undefined]),
  )
})

test('a bit that flips in a batch damages that batch, whatever it says then, and no other (property)', () => {
  const batches = [0, 3, 6].map((offset) => {
    const records = [0, 1, 2].map((index) => ({ value: Buffer.from(`${offset + index}`), headers: {} }))
    const batch = encodeRecordBatch(records, neverCompressed)
    placeAt(batch, offset)
    return batch
  })
  const [first, second, third] = batches.map(({ length }) => length) as [number, number, number]
  fc.assert(
    fc.property(fc.nat(2), fc.nat(8 * (second - 17) - 1), (index, bit) => {
      const set = Buffer.concat(batches)
      const at = [0, first, first + second][index] as number
      const byte = at + 17 + Math.floor(bit / 8)
      set[byte] = (set[byte] as number) ^ (1 << (bit % 8))
      const { records, nextOffset } = decodeRecordSet(set)
      const sound = records.filter(({ damage }) => damage === undefined)
      const before = [0, 1, 2, 3, 4, 5, 6, 7, 8].filter((offset) => Math.floor(offset / 3) !== index)
      assert.deepEqual(
        sound.map(({ offset, value, timestampMs }) => [offset, value.toString(), timestampMs]),
        before.map((offset) => [offset, `${offset}`, neverCompressed.nowMs]),
      )
      const [damaged] = records.filter(({ damage }) => damage !== undefined)
      // The last one is left for later when its head contradicts itself.
      if (damaged === undefined) assert.deepEqual([index, nextOffset], [2, 6])
      else {
        assert.equal(damaged.offset, 3 * index)
        assert.equal(damaged.timestampMs, index === 0 ? 0 : neverCompressed.nowMs)
        assert.equal(nextOffset, 9)
      }
    }),
  )
  assert.equal(third, second)
})

test('any damage of the bytes is survived (property)', () => {
  const records = [1, 2, 3].map((index) => ({ value: Buffer.alloc(40, index), headers: { h: Buffer.from([index]) } }))
  const batch = encodeRecordBatch(records, neverCompressed)
  fc.assert(
    fc.property(fc.nat(batch.length - 1), fc.nat(255), (at, value) => {
      const damaged = Buffer.from(batch)
      damaged[at] = value
      decodeRecordSet(damaged)
    }),
    { numRuns: 1_000 },
  )
})

/** As the broker does it when it appends. */
function placeAt(batch: Buffer, offset: number): void {
  batch.set(new ByteWriter().int64(offset).bytes)
}
