/**
 * The binary formats against fixtures of the first release: bytes that agents in the field send and that logs hold. Bytes
 * and description (fixtures/formats-v1.json) are never changed; a new version of a format gets fixtures of its own.
 */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { decodeLogPayload, decodeSampleBundle, encodeSampleBundle } from './log-payload.ts'
import {
  decodeSampleBatch,
  decodeSampleRecord,
  decodeSeriesList,
  encodeSampleBatch,
  encodeSampleRecord,
  encodeSeriesList,
  type SampleBlock,
} from './sample-codec.ts'
import type { SeriesRef } from './series-identity.ts'

const fixture = (name: string): Buffer => readFileSync(new URL(`../fixtures/${name}`, import.meta.url))
const described = JSON.parse(fixture('formats-v1.json').toString('utf8'))

interface DescribedBlock extends Omit<SampleBlock, 'series' | 'values'> {
  readonly series: readonly SeriesRef[]
  /** One row a series, null = gap. */
  readonly values: readonly (readonly (number | null)[])[]
}

function describeBlock<B extends SampleBlock>(block: B): DescribedBlock {
  const view = new DataView(block.values.buffer, block.values.byteOffset, block.values.byteLength)
  const series = decodeSeriesList(block.series)
  const values = series.map((_, row) =>
    Array.from({ length: block.slotCount }, (_, slot) => {
      const value = view.getFloat64((row * block.slotCount + slot) * 8, true)
      return Number.isNaN(value) ? null : value
    }),
  )
  assert.equal(view.byteLength, series.length * block.slotCount * 8)
  return { ...block, series, values }
}

function blockOf<B extends DescribedBlock>(block: B): Omit<B, 'series' | 'values'> & SampleBlock {
  const values = block.values.flat().map((value) => value ?? Number.NaN)
  const bytes = Buffer.alloc(values.length * 8)
  for (const [index, value] of values.entries()) bytes.writeDoubleLE(value, index * 8)
  return { ...block, series: encodeSeriesList(block.series), values: bytes }
}

/** Without prototypes, which avsc and the null-prototype labels have of their own. */
const plain = (value: unknown): unknown => JSON.parse(JSON.stringify(value))

test('SeriesList version 1 is read and written as ever', () => {
  const name = 'series-list-v1.bin'
  assert.deepEqual(plain({ series: decodeSeriesList(fixture(name)) }), described[name])
  assert.deepEqual(encodeSeriesList(described[name].series), fixture(name))
})

test('SampleBatch version 1 is read and written as ever', () => {
  const name = 'sample-batch-v1.bin'
  const batch = decodeSampleBatch(fixture(name))
  assert.deepEqual(plain({ ...batch, blocks: batch.blocks.map(describeBlock) }), described[name])
  assert.deepEqual(
    encodeSampleBatch({ ...described[name], blocks: described[name].blocks.map(blockOf) }),
    fixture(name),
  )
})

test('SampleRecord version 1 is read and written as ever', () => {
  const name = 'sample-record-v1.bin'
  const record = decodeSampleRecord(fixture(name))
  assert.deepEqual(plain({ ...record, sections: record.sections.map(describeBlock) }), described[name])
  const sections = described[name].sections.map(blockOf)
  assert.deepEqual(encodeSampleRecord({ ...described[name], sections }), fixture(name))
})

test('SampleBundle version 1 is read and written as ever: a batch in zstd, sections, a batch in gzip', () => {
  const payload = fixture('sample-bundle-v1.bin')
  const { receivedAtMs, items } = decodeSampleBundle(payload)
  assert.equal(receivedAtMs, 1_764_028_815_500)
  assert.deepEqual(
    items.map(({ tenantId, holds, encoding, plainBytes }) => [tenantId, holds, encoding, plainBytes]),
    [
      ['default', 'batch', 'zstd', fixture('sample-batch-v1.bin').length],
      ['', 'sections', 'identity', fixture('sample-record-v1.bin').length],
      ['default', 'batch', 'gzip', fixture('sample-batch-v1.bin').length],
    ],
  )
  assert.deepEqual(encodeSampleBundle({ receivedAtMs, items }), payload)
  const { serverId, blocks } = described['sample-batch-v1.bin']
  const batch = blocks.map((block: DescribedBlock) => ({ ...block, tenantId: 'default', serverId }))
  const { sections } = described['sample-record-v1.bin']
  assert.deepEqual(plain(decodeLogPayload(payload).sections.map(describeBlock)), [...batch, ...sections, ...batch])
})
