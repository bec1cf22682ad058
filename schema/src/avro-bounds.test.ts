import assert from 'node:assert/strict'
import { test } from 'node:test'
import { compileAvroWalk } from './avro-bounds.ts'

/** As a hostile writer makes it: a varint of any size where an int belongs. */
function zigzag(value: bigint): Buffer {
  const bytes: number[] = []
  for (let rest = value >= 0n ? value * 2n : -value * 2n - 1n; ; rest >>= 7n) {
    if (rest < 0x80n) return Buffer.from([...bytes, Number(rest)])
    bytes.push(Number(rest & 0x7fn) | 0x80)
  }
}

test('an int beyond 32 bits is refused, one within is not', () => {
  const walk = compileAvroWalk('int')
  for (const value of [0n, 1n, -1n, 2n ** 31n - 1n, -(2n ** 31n)]) assert.equal(walk(zigzag(value), 0), 0)
  for (const value of [2n ** 31n, -(2n ** 31n) - 1n, 3_000_000_000n, 2n ** 52n]) {
    assert.throws(() => walk(zigzag(value), 0), /beyond 32 bits/)
  }
})

test('a claimed length or count that the bytes cannot hold is refused', () => {
  assert.throws(() => compileAvroWalk('bytes')(zigzag(2n ** 40n), 0), /exceeds the 0 that follow/)
  const walk = compileAvroWalk({ type: 'array', items: 'long' })
  assert.throws(() => walk(zigzag(2n ** 40n), 1_000), /claims more than 1000 items/)
  assert.equal(walk(Buffer.concat([zigzag(2n), zigzag(5n), zigzag(6n), zigzag(0n)]), 2), 2)
  assert.throws(() => walk(Buffer.concat([zigzag(0n), zigzag(0n)]), 2), /1 bytes follow the end/)
})
