/** Bytes written by hand from the protocol's description of Fetch version 11. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decodeFetched, encodeFetch, sessionless } from './log-requests.ts'

const hex = (...fields: readonly string[]): string => fields.join('').replaceAll(' ', '')

test('a fetch that goes on with its session names what changed, then what it forgets', () => {
  const request = {
    sessionId: 0x01020304,
    epoch: 7,
    parts: [
      { topic: 'ab', partition: 3, offset: 2 ** 33 + 5, bytesMax: 65_536 },
      { topic: 'c', partition: 0, offset: 0, bytesMax: 1 },
      { topic: 'ab', partition: 1, offset: 9, bytesMax: 65_536 },
    ],
    forgotten: [
      { topic: 'd', partition: 2 },
      { topic: 'd', partition: 4 },
    ],
  }
  const expected = hex(
    'ffffffff', // replica: a consumer
    '000001f4 00000001 01000000', // at most 500 ms, at least 1 byte, at most 16 MiB
    '00', // read uncommitted
    '01020304 00000007', // session and epoch
    '00000002', // topics
    '0002 6162 00000002',
    '00000003 ffffffff 0000000200000005 ffffffffffffffff 00010000', // partition, epoch of the leader, offset, start, bytes
    '00000001 ffffffff 0000000000000009 ffffffffffffffff 00010000',
    '0001 63 00000001',
    '00000000 ffffffff 0000000000000000 ffffffffffffffff 00000001',
    '00000001', // forgotten topics
    '0001 64 00000002 00000002 00000004',
    '0000', // rack
  )
  assert.equal(encodeFetch(request, { waitMs: 500, bytesMax: 2 ** 24 }).toString('hex'), expected)
})

test('a fetch without a session, of nothing', () => {
  const expected = hex('ffffffff 00000000 00000001 00000400 00', '00000000 ffffffff', '00000000 00000000 0000')
  const request = { ...sessionless, parts: [] }
  assert.equal(encodeFetch(request, { waitMs: 0, bytesMax: 1_024 }).toString('hex'), expected)
})

test('an answer has its session, how long it was throttled, and each partition with its own error', () => {
  const answer = hex(
    '0000000a 0000 01020304', // throttled for 10 ms, no error, session
    '00000002',
    '0002 6162 00000002',
    '00000003 0000 0000000200000005 0000000200000005 0000000000000001', // high watermark, last stable, start
    'ffffffff ffffffff 00000003 0a0b0c', // no aborted transactions, no other replica to read from, records
    '00000001 0001 ffffffffffffffff ffffffffffffffff ffffffffffffffff',
    '00000001 0000000000000001 0000000000000002 ffffffff ffffffff', // an aborted transaction, null records
    '0001 63 00000000',
  )
  assert.deepEqual(decodeFetched(Buffer.from(answer, 'hex')), {
    throttleMs: 10,
    errorCode: 0,
    sessionId: 0x01020304,
    parts: [
      { topic: 'ab', partition: 3, errorCode: 0, highWatermark: 2 ** 33 + 5, recordSet: Buffer.from([10, 11, 12]) },
      { topic: 'ab', partition: 1, errorCode: 1, highWatermark: -1, recordSet: Buffer.alloc(0) },
    ],
  })
})

test('an answer that refuses the session has no partitions', () => {
  const answer = Buffer.from(hex('00000000 0047 00000000 00000000'), 'hex')
  assert.deepEqual(decodeFetched(answer), { throttleMs: 0, errorCode: 71, sessionId: 0, parts: [] })
})
