import assert from 'node:assert/strict'
import { test } from 'node:test'
import { LogTail } from './log-tail.ts'

const record = (position: number, size = 10) => ({ position, appendedAtMs: position, payload: Buffer.alloc(size) })
const positions = (tail: LogTail, from: number, bytesMax = 1_000): number[] =>
  tail.from(from, bytesMax).map(({ position }) => position)

test('reads on from a position it has, and nothing from one it has not', () => {
  const tail = new LogTail(1_000)
  for (const position of [5, 6, 7]) tail.push(record(position))
  assert.deepEqual(positions(tail, 6), [6, 7])
  assert.deepEqual(positions(tail, 4), [])
  assert.deepEqual(positions(tail, 8), [])
  assert.equal(tail.endsAt(8), true)
  assert.equal(tail.endsAt(7), false)
})

test("stops at a gap that another process' append left", () => {
  const tail = new LogTail(1_000)
  for (const position of [5, 6, 8]) tail.push(record(position))
  assert.deepEqual(positions(tail, 5), [5, 6])
  assert.deepEqual(positions(tail, 7), [])
  assert.deepEqual(positions(tail, 8), [8])
})

test('forgets the oldest past its bound, even a record larger than the bound', () => {
  const tail = new LogTail(25)
  for (const position of [1, 2, 3]) tail.push(record(position))
  assert.deepEqual(positions(tail, 1), [])
  assert.deepEqual(positions(tail, 2), [2, 3])
  tail.push(record(4, 100))
  assert.equal(tail.bytes, 0)
  assert.deepEqual(positions(tail, 4), [])
})

test('a read is bounded in bytes but takes at least one record', () => {
  const tail = new LogTail(1_000)
  for (const position of [1, 2, 3]) tail.push(record(position))
  assert.deepEqual(positions(tail, 1, 20), [1, 2])
  assert.deepEqual(positions(tail, 1, 1), [1])
})

test('counts what a record comes with decoded, lists included: each may be one of its own', () => {
  const tail = new LogTail(100_000)
  const section = { tenantId: 'default', serverId: 'a', startMs: 0, stepMs: 1_000, slotCount: 1 }
  const sections = Array.from({ length: 4 }, () => ({
    ...section,
    series: Buffer.alloc(10_000),
    values: Buffer.alloc(2_000),
  }))
  tail.push({ ...record(1), sections })
  assert.ok(tail.bytes >= 48_000, `${tail.bytes} bytes`)
  tail.push({ ...record(2), sections })
  assert.deepEqual(positions(tail, 1), [])
  assert.deepEqual(positions(tail, 2), [2])
})
