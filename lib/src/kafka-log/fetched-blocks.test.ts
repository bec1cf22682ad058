import assert from 'node:assert/strict'
import { test } from 'node:test'
import { FetchBudget } from './fetch-budget.ts'
import { FetchedBlocks } from './fetched-blocks.ts'
import type { StoredRecord } from './record-batch.ts'

const recordAt = (offset: number): StoredRecord => ({
  offset,
  timestampMs: 0,
  headers: {},
  value: Buffer.alloc(1_000),
})

test('the budget of the process has what is held: given back block by block as it is read, and all of it when it is dropped', () => {
  const budget = new FetchBudget(1 << 20)
  const [one, other] = [new FetchedBlocks(budget), new FetchedBlocks(budget)]
  one.hold([recordAt(0), recordAt(1)])
  one.hold([recordAt(2)])
  other.hold([recordAt(0)])
  const perRecord = other.bytes
  assert.ok(perRecord >= 1_000)
  assert.equal(budget.heldBytes, 4 * perRecord)
  one.shift()
  assert.equal(budget.heldBytes, 4 * perRecord, 'the other record of the block shares its memory')
  one.shift()
  assert.equal(budget.heldBytes, 2 * perRecord)
  one.drop()
  assert.deepEqual([one.isEmpty, one.bytes, budget.heldBytes], [true, 0, perRecord])
  one.drop()
  assert.equal(budget.heldBytes, perRecord, 'once')
  one.hold([recordAt(5)])
  assert.equal(one.first?.offset, 5)
  assert.equal(budget.freeBytes, (1 << 20) - 2 * perRecord)
})
