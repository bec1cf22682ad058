/** The layout against bytes that were written by hand: what databases hold. They are never changed; another layout gets its own. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createMinuteColumns } from '../hour-block/minute-columns.ts'
import { blockProblem, chunkOf, readRecord, readRecordInto, slotOf, viewOf, writeRecord } from './minute-block.ts'

/** Two records with an empty one between them: all seconds from 1.5 to 3, sum 120.25; second 31 alone, of -0.1. */
const golden = Buffer.from(
  [
    '0fffffffffffffff 3ff8000000000000 4008000000000000 405e100000000000',
    '0000000000000000 0000000000000000 0000000000000000 0000000000000000',
    '0000000080000000 bfb999999999999a bfb999999999999a bfb999999999999a',
  ]
    .join('')
    .replaceAll(' ', ''),
  'hex',
)
const whole = { low: 2 ** 30 - 1, high: 2 ** 30 - 1, min: 1.5, max: 3, sum: 120.25 }
const single = { low: 0, high: 2, min: -0.1, max: -0.1, sum: -0.1 }

test('golden bytes are read, at any offset', () => {
  for (const offset of [0, 1, 7]) {
    const view = viewOf(Buffer.concat([Buffer.alloc(offset), golden]).subarray(offset))
    assert.deepEqual(
      [0, 1, 2].map((index) => readRecord(view, index)),
      [whole, undefined, single],
    )
  }
})

test('golden bytes are written', () => {
  const bytes = Buffer.alloc(golden.length)
  writeRecord(viewOf(bytes), 0, whole)
  writeRecord(viewOf(bytes), 2, single)
  assert.equal(bytes.toString('hex'), golden.toString('hex'))
})

test('into columns the same, and an empty record leaves them as they are', () => {
  const columns = createMinuteColumns(3)
  columns.min.fill(9)
  const read = [0, 1, 2].map((slot) => readRecordInto(viewOf(golden), slot, { columns, slot }))
  assert.deepEqual(read, [true, false, true])
  assert.deepEqual([...columns.seenLow], [whole.low, 0, single.low])
  assert.deepEqual([...columns.seenHigh], [whole.high, 0, single.high])
  assert.deepEqual(
    [[...columns.min], [...columns.max], [...columns.sum]],
    [
      [1.5, 9, -0.1],
      [3, 0, -0.1],
      [120.25, 0, -0.1],
    ],
  )
})

test('a chunk is 32 ids', () => {
  assert.deepEqual(
    [31, 32, 2 ** 31 - 1].map((id) => [chunkOf(id), slotOf(id)]),
    [
      [0, 31],
      [1, 0],
      [2 ** 26 - 1, 31],
    ],
  )
  assert.equal(blockProblem(0, 1_024), undefined)
  assert.match(blockProblem(1, 1_024) ?? '', /32 records from slot 1 on/)
})
