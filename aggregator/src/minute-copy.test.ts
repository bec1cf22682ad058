import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { encodeRows } from './minute-copy.ts'
import { rollUp } from './roll-up.ts'

function rolledWith(...seconds: number[]) {
  const values = new Float64Array(60).fill(Number.NaN)
  for (const second of seconds) values[second] = 1.5
  return rollUp({ rowCount: 1, values })
}

const idsOf = (...ids: number[]) => Int32Array.from(ids)

test('a row is laid out as Postgres documents it', () => {
  const values = new Float64Array(60).fill(Number.NaN)
  values[0] = -2
  values[59] = 0.5
  const rolled = rollUp({ rowCount: 1, values })
  const rows = {
    minuteMs: Date.UTC(2000, 0, 1, 0, 1),
    rolled,
    seriesIds: idsOf(0x01020304),
    tenantIds: idsOf(0x0a0b0c0d),
  }
  const expected = [
    '0007', // fields
    '00000004 01020304', // series
    '00000004 0a0b0c0d', // tenant
    '00000008 0000000003938700', // 60 s after Postgres' epoch, in us
    '00000008 0800000000000001', // bits 59 and 0
    '00000008 c000000000000000', // min -2
    '00000008 3fe0000000000000', // max 0.5
    '00000008 bff8000000000000', // sum -1.5
  ]
  const bytes = encodeRows(rows, 0, 1)
  assert.equal(bytes.toString('hex'), expected.join('').replaceAll(' ', ''))
  assert.equal(bytes.length, 78)
})

const seenAt = 10 + 8 + 12 + 4 - 0
const seenOf = (...seconds: number[]): bigint =>
  encodeRows(
    { minuteMs: Date.UTC(2027, 0, 1), rolled: rolledWith(...seconds), seriesIds: idsOf(1), tenantIds: idsOf(1) },
    0,
    1,
  ).readBigInt64BE(seenAt)

for (const second of [0, 1, 28, 29, 30, 31, 32, 33, 58, 59]) {
  test(`second ${second} is bit ${second} of seen`, () => assert.equal(seenOf(second), 1n << BigInt(second)))
}

test('seen is never negative, also with all 60 seconds', () => {
  assert.equal(seenOf(...Array.from({ length: 60 }, (_, second) => second)), (1n << 60n) - 1n)
})

test('any set of seconds is its bits', () => {
  fc.assert(
    fc.property(fc.uniqueArray(fc.nat(59), { minLength: 1 }), (seconds) => {
      assert.equal(
        seenOf(...seconds),
        seconds.reduce((bits, second) => bits | (1n << BigInt(second)), 0n),
      )
    }),
  )
})

test('a minute before Postgres epoch is negative, one far ahead is exact', () => {
  const micros = (minuteMs: number): bigint =>
    encodeRows({ minuteMs, rolled: rolledWith(0), seriesIds: idsOf(1), tenantIds: idsOf(1) }, 0, 1).readBigInt64BE(22)
  assert.equal(micros(Date.UTC(1999, 11, 31, 23, 59)), -60_000_000n)
  assert.equal(micros(Date.UTC(9999, 11, 31)), BigInt(Date.UTC(9999, 11, 31) - Date.UTC(2000, 0, 1)) * 1_000n)
})

test('a chunk holds only its own rows', () => {
  const values = new Float64Array(180).fill(2)
  const rows = {
    minuteMs: Date.UTC(2027, 0, 1),
    rolled: rollUp({ rowCount: 3, values }),
    seriesIds: idsOf(7, 8, 9),
    tenantIds: idsOf(1, 1, 1),
  }
  const chunk = encodeRows(rows, 1, 3)
  assert.equal(chunk.length, 156)
  assert.deepEqual([chunk.readInt32BE(6), chunk.readInt32BE(78 + 6)], [8, 9])
})
