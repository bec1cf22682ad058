import assert from 'node:assert/strict'
import { test } from 'node:test'
import { recordBytes } from '@minutely/schema/minute-block/minute-block'
import fc from 'fast-check'
import { blockOfMinutes, blockOfRows, chunksOf, minutesOfBlock, rowMinute } from './minute-chunks.ts'
import { rollUp } from './roll-up.ts'

function rolledWith(...seconds: number[]) {
  const values = new Float64Array(60).fill(Number.NaN)
  for (const second of seconds) values[second] = 1.5
  return rollUp({ rowCount: 1, values })
}

const minuteMs = Date.UTC(2027, 0, 1)
const idsOf = (...ids: number[]) => Int32Array.from(ids)
const oneRow = (rolled: ReturnType<typeof rollUp>) => ({ minuteMs, rolled, seriesIds: idsOf(7), tenantIds: idsOf(1) })
const one = { chunk: 0, tenantId: 1, rows: [0] }

test('a record is laid out as docs/formats.md says', () => {
  const values = new Float64Array(60).fill(Number.NaN)
  values[0] = -2
  values[59] = 0.5
  const { first, bytes } = blockOfRows(one, oneRow(rollUp({ rowCount: 1, values })))
  const expected = [
    '0800000000000001', // bits 59 and 0
    'c000000000000000', // min -2
    '3fe0000000000000', // max 0.5
    'bff8000000000000', // sum -1.5
  ]
  assert.deepEqual([first, bytes.toString('hex')], [7, expected.join('')])
})

const seenOf = (...seconds: number[]): bigint =>
  blockOfRows(one, oneRow(rolledWith(...seconds))).bytes.readBigInt64BE(0)

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

test('rows in any order become chunks in order, of one tenant each, and come back out of their blocks', () => {
  const row = fc.record({ id: fc.nat(200), tenantId: fc.integer({ min: 1, max: 2 }), value: fc.integer() })
  fc.assert(
    fc.property(fc.uniqueArray(row, { minLength: 1, maxLength: 60, selector: ({ id }) => id }), (list) => {
      const values = new Float64Array(list.length * 60).fill(Number.NaN)
      for (const [at, { value, id }] of list.entries()) values[at * 60 + (id % 60)] = value
      const rows = {
        minuteMs,
        rolled: rollUp({ rowCount: list.length, values }),
        seriesIds: idsOf(...list.map(({ id }) => id)),
        tenantIds: idsOf(...list.map(({ tenantId }) => tenantId)),
      }
      const chunks = chunksOf(rows)
      const places = chunks.map(({ chunk, tenantId }) => [chunk, tenantId] as const)
      assert.deepEqual(
        places,
        places.toSorted(([a, aTenant], [b, bTenant]) => a - b || aTenant - bTenant),
      )
      const found = chunks.flatMap((chunk) => {
        const block = blockOfRows(chunk, rows)
        assert.ok(block.bytes.length <= 32 * recordBytes)
        const minutes = minutesOfBlock(block)
        assert.deepEqual(blockOfMinutes(chunk, minutes), block)
        return [...minutes].map(([slot, minute]) => [chunk.chunk * 32 + slot, chunk.tenantId, minute])
      })
      const sent = list.map(({ id, tenantId }, at) => [id, tenantId, rowMinute(rows.rolled, at)])
      const byId = (a: unknown[], b: unknown[]): number => Number(a[0]) - Number(b[0])
      assert.deepEqual(found.sort(byId), sent.sort(byId))
    }),
  )
})

test('bytes that are no block are refused with what is wrong', () => {
  assert.throws(() => minutesOfBlock({ first: 0, bytes: Buffer.alloc(40) }), /40 bytes are no whole records of 32/)
  assert.throws(() => minutesOfBlock({ first: 31, bytes: Buffer.alloc(64) }), /2 records from slot 31 on are more/)
})
