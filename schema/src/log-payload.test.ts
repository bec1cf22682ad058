/** Bundles: what goes in comes out, whatever is damaged in between costs only itself. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { gzipSync, zstdCompressSync } from 'node:zlib'
import fc from 'fast-check'
import {
  type BundledEncoding,
  type BundledItem,
  decodeLogPayload,
  encodeSampleBundle,
  logSections,
  sectionsItem,
  UnreadablePart,
} from './log-payload.ts'
import {
  CodecError,
  encodeSampleBatch,
  encodeSampleRecord,
  encodeSeriesList,
  type SampleSection,
} from './sample-codec.ts'

const receivedAtMs = 1_764_028_815_000

function section(serverId: string, values: readonly number[], metricId = 'm'): SampleSection {
  const series = encodeSeriesList([{ metricId, labels: {} }])
  const bytes = Buffer.from(Float64Array.from(values).buffer)
  const grid = { startMs: receivedAtMs - 15_000, stepMs: 1_000, slotCount: values.length }
  return { tenantId: 'default', serverId, ...grid, series, values: bytes }
}

function batchItem(sent: SampleSection, encoding: BundledEncoding, lateByMs = 0): BundledItem {
  const { tenantId, serverId, startMs, stepMs, slotCount, series, values } = sent
  const block = { startMs: startMs + lateByMs, stepMs, slotCount, series, values }
  const plain = encodeSampleBatch({ serverId, sentAtMs: receivedAtMs, blocks: [block] })
  const bytes = { identity: plain, gzip: gzipSync(plain), zstd: zstdCompressSync(plain) }[encoding]
  return { tenantId, holds: 'batch', encoding, plainBytes: plain.length, bytes }
}

const plainSections = (sections: Iterable<SampleSection>): unknown[] =>
  [...sections].map((one) => ({ ...one, series: Buffer.from(one.series), values: Buffer.from(one.values) }))

test('any batches and sections come back as they were, in their order (property)', () => {
  const encoding = fc.constantFrom<BundledEncoding>('identity', 'gzip', 'zstd')
  const values = fc.array(fc.double(), { minLength: 1, maxLength: 300 })
  const part = fc.record({ server: fc.stringMatching(/^[a-z]{1,8}$/), values, encoding, isBatch: fc.boolean() })
  fc.assert(
    fc.property(fc.array(part, { maxLength: 8 }), (parts) => {
      const sections = parts.map((one) => section(one.server, one.values))
      const items = parts.map((one, index) => {
        const sent = sections[index] as SampleSection
        if (one.isBatch) return batchItem(sent, one.encoding)
        return sectionsItem(encodeSampleRecord({ receivedAtMs, sections: [sent] }))
      })
      const read = decodeLogPayload(encodeSampleBundle({ receivedAtMs, items }))
      assert.equal(read.receivedAtMs, receivedAtMs)
      assert.deepEqual(plainSections(read.sections), plainSections(sections))
    }),
  )
})

test('a plain record is read as ever', () => {
  const sections = [section('a', [1, 2]), section('b', [3])]
  const read = decodeLogPayload(encodeSampleRecord({ receivedAtMs, sections }))
  assert.deepEqual(plainSections(read.sections), plainSections(sections))
})

test('a batch that was sent between seconds starts at its second, as the collector took it', () => {
  const [read] = logSections(encodeSampleBundle({ receivedAtMs, items: [batchItem(section('a', [1]), 'zstd', 999)] }))
  assert.ok(read !== undefined && !(read instanceof UnreadablePart))
  assert.equal(read.startMs, receivedAtMs - 15_000)
})

test('a damaged item is named, its neighbours are there', () => {
  const good = batchItem(section('a', [1]), 'zstd')
  const bad: [BundledItem, RegExp][] = [
    [{ ...good, bytes: good.bytes.subarray(0, 20) }, /item 1 \(batch, zstd\)/],
    [{ ...good, plainBytes: good.plainBytes + 1 }, /instead of/],
    [{ ...good, plainBytes: good.plainBytes - 1 }, /item 1/],
    [{ ...good, encoding: 'gzip' }, /item 1 \(batch, gzip\)/],
    [{ ...good, holds: 'sections' }, /item 1 \(sections, zstd\)/],
    [{ ...good, encoding: 'identity', bytes: Buffer.from('no batch') }, /C3 01/],
  ]
  for (const [item, reason] of bad) {
    const payload = encodeSampleBundle({ receivedAtMs, items: [good, item, batchItem(section('c', [2]), 'gzip')] })
    const [first, second, third, ...rest] = logSections(payload)
    assert.ok(second instanceof UnreadablePart)
    assert.match(second.detail, reason)
    assert.deepEqual(
      [first, third].map((one) => one instanceof UnreadablePart || one?.serverId),
      ['a', 'c'],
    )
    assert.equal(rest.length, 0)
    assert.throws(() => decodeLogPayload(payload), CodecError)
  }
})

test('a payload that is no bundle at all is refused as a whole', () => {
  const payload = encodeSampleBundle({ receivedAtMs, items: [batchItem(section('a', [1]), 'zstd')] })
  for (const broken of [
    payload.subarray(0, payload.length - 1),
    Buffer.concat([payload, Buffer.of(0)]),
    Buffer.concat([Buffer.of(0x90), payload.subarray(1)]),
    Buffer.of(0x81),
    Buffer.of(),
    Buffer.of(0x80),
  ]) {
    assert.throws(() => [...logSections(broken)], CodecError)
  }
})
