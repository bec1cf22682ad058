/** The reader in place against avsc, on batches as agents write them and on bytes that were damaged. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { readSampleBatch } from './batch-reader.ts'
import { releasedSchemas } from './released-schemas.ts'
import { encodeSampleBatch, type SampleBatch } from './sample-codec.ts'
import { VersionedType } from './versioned-type.ts'

const blocksMax = 10_000
const frameBytes = 10
const avro = new VersionedType(releasedSchemas('sample-batch'), blocksMax)

const block = fc.record({
  startMs: fc.integer({ min: -(2 ** 47), max: 2 ** 47 }),
  stepMs: fc.integer(),
  slotCount: fc.integer(),
  series: fc.uint8Array({ maxLength: 200 }),
  values: fc.uint8Array({ maxLength: 300 }),
})
const batch = fc.record({
  serverId: fc.string({ unit: 'grapheme', maxLength: 70 }),
  sentAtMs: fc.integer({ min: 0, max: 2 ** 47 }),
  blocks: fc.array(block, { maxLength: 5 }),
})

function asAvscReads(body: Buffer): SampleBatch | undefined {
  try {
    return avro.decode(avro.current.version, body) as SampleBatch
  } catch {
    return undefined
  }
}

const plain = (read: SampleBatch | undefined): unknown =>
  read && {
    ...read,
    blocks: read.blocks.map((one) => ({ ...one, series: [...one.series], values: [...one.values] })),
  }

test('reads every batch that agents write, as avsc does (property)', () => {
  fc.assert(
    fc.property(batch, (sent) => {
      const body = encodeSampleBatch(sent).subarray(frameBytes)
      const read = readSampleBatch(body, blocksMax)
      assert.ok(read)
      assert.deepEqual(plain(read), plain(asAvscReads(body)))
      for (const { values } of read.blocks) assert.equal(values.buffer, body.buffer)
    }),
  )
})

test('of damaged bytes it reads what avsc reads, or leaves them to it (property)', () => {
  const damage = fc.array(fc.record({ at: fc.nat(), byte: fc.nat(255) }), { maxLength: 3 })
  let readCount = 0
  fc.assert(
    fc.property(batch, damage, fc.integer({ min: 0, max: 3 }), (sent, changes, cut) => {
      const whole = encodeSampleBatch(sent).subarray(frameBytes)
      const body = Buffer.from(whole.subarray(0, whole.length - cut))
      for (const { at, byte } of changes) if (body.length > 0) body[at % body.length] = byte
      const read = readSampleBatch(body, blocksMax)
      if (read === undefined) return
      readCount++
      assert.deepEqual(plain(read), plain(asAvscReads(body)))
    }),
    { numRuns: 2_000 },
  )
  assert.ok(readCount > 100, `${readCount} were read`)
})

test('more blocks than may be, and arrays in parts, are left to avsc', () => {
  const one = { startMs: 0, stepMs: 1_000, slotCount: 0, series: new Uint8Array(), values: new Uint8Array() }
  const body = encodeSampleBatch({ serverId: 'a', sentAtMs: 1, blocks: [one, one, one] }).subarray(frameBytes)
  assert.ok(readSampleBatch(body, 3))
  assert.equal(readSampleBatch(body, 2), undefined)
  // "a", sentAtMs 1, then each block as a part of its own.
  const part = [0x02, 0x00, 0xd0, 0x0f, 0x00, 0x00, 0x00]
  const parts = Buffer.from([0x02, 0x61, 0x02, ...part, ...part, 0x00])
  assert.equal(readSampleBatch(parts, 10), undefined)
  assert.equal(asAvscReads(parts)?.blocks.length, 2)
})
