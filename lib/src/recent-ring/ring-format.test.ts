/** The bytes of the ring: those of docs/formats.md, and what is read back from any bytes. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { encodeParts, keyPrefix, RingColumns, recordBytes, ringKey } from './ring-format.ts'
import { RingGather } from './ring-gather.ts'
import { coveredOf, testRows } from './test-rows.ts'

/** 2026-11-21T13:00Z. */
const minute = 29_921_100
const hour = minute / 60
/** Version 1. What was written by any release must be read by every later one, for as long as a key lives. */
const golden = {
  key: 'minutely:ring:1763730000000001:0badc0de:0000002a9f3c01aa:079bfd',
  record: '4c8fc801' + 'ffffffff0000000f' + '000000000000d03f' + '0000000000000440' + '0000000000c05340',
}

test('a key and a record are the bytes of docs/formats.md', () => {
  const identity = { epoch: '1763730000000001', runId: '0badc0de00000000000000000000000000000000' }
  const prefix = keyPrefix('minutely:ring', identity)
  assert.equal(prefix + ringKey({ seriesId: 42, tag: 0x9f3c01aa }, hour), golden.key)
  const rows = {
    count: 1,
    seriesIds: Int32Array.of(42),
    tags: Uint32Array.of(0x9f3c01aa),
    minutes: Uint32Array.of(minute),
    seenLow: Uint32Array.of(0xffff_ffff),
    seenHigh: Uint32Array.of(0x0f00_0000),
    min: Float64Array.of(0.25),
    max: Float64Array.of(2.5),
    sum: Float64Array.of(79),
  }
  const [part] = [...encodeParts(rows, 4_096)]
  assert.equal(part?.bytes.toString('latin1', 0, 23), golden.key.slice(-23))
  assert.equal(part?.bytes.toString('hex', 23), `2400${golden.record}`)
  const reading = new RingColumns(1, minute, minute + 60)
  reading.addValue(0, hour, Buffer.from(golden.record, 'hex'))
  assert.deepEqual([reading.covered[0], reading.coveredCount], [1, 1])
  assert.deepEqual([reading.seenLow[0], reading.seenHigh[0]], [0xffff_ffff, 0x0f00_0000])
  assert.deepEqual([reading.min[0], reading.max[0], reading.sum[0]], [0.25, 2.5, 79])
})

test('rows of one series and hour share a key, at most 60 of them', () => {
  const states = Array.from({ length: 130 }, (_, index) => ({ seriesId: 1, minute: minute + (index % 60), seen: 1n }))
  const [part] = [...encodeParts(testRows(states), 1 << 20)]
  assert.equal(part?.bytes.length, 3 * 25 + 130 * recordBytes)
})

test('any bytes are read without harm, and nothing outside the range or the hour is taken (property)', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 400 }), fc.nat(2), (bytes, row) => {
      const reading = new RingColumns(3, minute - 7, minute + 7)
      reading.addValue(row, hour, Buffer.from(bytes))
      reading.addValue(row, hour, Buffer.from(golden.record, 'hex'))
      assert.ok(reading.coveredCount <= 14)
      assert.equal(reading.covered.subarray(row * 14, row * 14 + 7).indexOf(1), -1, 'the hour before')
    }),
  )
  const reading = new RingColumns(1, minute, minute + 60)
  reading.addValue(0, hour, Buffer.from(golden.record, 'hex').subarray(0, 35))
  assert.equal(reading.coveredCount, 0)
})

test('gathered rows are the same rows by series, and due when enough minutes are together (property)', () => {
  const state = fc.record({ seriesId: fc.integer({ min: 1, max: 5 }), offset: fc.nat(12), seen: fc.bigInt(1n, 7n) })
  fc.assert(
    fc.property(fc.array(fc.array(state, { minLength: 1, maxLength: 8 }), { maxLength: 12 }), (flushes) => {
      const gather = new RingGather({ minutesMax: 5, bytesMax: 44 * 30 })
      const identity = { epoch: '1', runId: 'r' }
      const out: string[] = []
      let held: string[] = []
      for (const flush of flushes) {
        const states = flush.map(({ offset, ...rest }) => ({ ...rest, minute: minute + offset }))
        held.push(...states.map((one) => `${one.seriesId} ${one.minute} ${one.seen}`))
        const due = gather.add(identity, testRows(states))
        if (due === undefined) {
          assert.ok(held.length <= 30)
          continue
        }
        const { rows } = due
        const listed = Array.from(
          { length: rows.count },
          (_, row) => `${rows.seriesIds[row]} ${rows.minutes[row]} ${rows.seenLow[row]}`,
        )
        const ids = [...rows.seriesIds.subarray(0, rows.count)]
        if (rows.count > flush.length)
          assert.deepEqual(
            ids,
            ids.toSorted((a, b) => a - b),
          )
        out.push(...listed)
        const given = held.splice(0, rows.count)
        assert.deepEqual(listed.toSorted(), given.toSorted())
      }
      held = []
    }),
  )
})

test('what was gathered for a ring of before is forgotten', () => {
  const gather = new RingGather({ minutesMax: 2, bytesMax: 4_400 })
  const rows = (at: number) => testRows([{ seriesId: 1, minute: minute + at, seen: 1n }])
  assert.equal(gather.add({ epoch: '1', runId: 'r' }, rows(0)), undefined)
  assert.equal(gather.add({ epoch: '2', runId: 'r' }, rows(1)), undefined)
  const due = gather.add({ epoch: '2', runId: 'r' }, rows(2))
  assert.equal(due?.rows.count, 2)
  const reading = new RingColumns(1, minute, minute + 60)
  assert.equal(coveredOf(reading).size, 0)
})
