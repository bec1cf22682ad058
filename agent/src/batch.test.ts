/** Column blocks: the same samples in any order and any cut give the same cells; equal series, equal bytes. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { decodeSeriesList } from '@minutely/schema/sample-codec'
import { type SeriesRef, seriesKey } from '@minutely/schema/series-identity'
import fc from 'fast-check'
import { type Batch, SampleBatcher, seriesPerBatchMax, slotsPerCell } from './batch.ts'

const startMs = 1_764_028_800_000
const series = (metricId: string, device?: string): SeriesRef => ({
  metricId,
  labels: device === undefined ? {} : { 'system.device': device },
})
const user = series('cpu.user')
const disk = series('disk.io', 'sda')

function matrixOf({ block }: Batch): Map<string, number[]> {
  const view = new DataView(block.values.buffer, block.values.byteOffset, block.values.byteLength)
  const rows = decodeSeriesList(block.series).map((ref, row) => {
    const slots = Array.from({ length: block.slotCount }, (_, slot) =>
      view.getFloat64((row * block.slotCount + slot) * 8, true),
    )
    return [seriesKey(ref), slots] as const
  })
  return new Map(rows)
}

describe('SampleBatcher', () => {
  it('makes one block of 15 slots a cell, with gaps where nothing was read', () => {
    const batcher = new SampleBatcher()
    batcher.add(startMs, [{ series: user, value: 0.5 }])
    batcher.add(startMs + 2000, [
      { series: user, value: 0.25 },
      { series: disk, value: 7 },
    ])
    batcher.add(startMs + 15_000, [{ series: user, value: 1 }])
    const [batch, ...others] = batcher.takeEnded(startMs + 15_400)
    assert.ok(batch)
    assert.deepEqual(others, [])
    assert.equal(batch.block.startMs, startMs)
    assert.equal(batch.block.stepMs, 1000)
    assert.equal(batch.block.slotCount, slotsPerCell)
    assert.equal(batch.sampleCount, 3)
    assert.equal(batch.seriesCount, 2)
    const gap = Number.NaN
    const matrix = matrixOf(batch)
    assert.deepEqual(matrix.get(seriesKey(user))?.slice(0, 4), [0.5, gap, 0.25, gap])
    assert.deepEqual(matrix.get(seriesKey(disk))?.slice(0, 4), [gap, gap, 7, gap])
    assert.deepEqual(batcher.takeEnded(startMs + 15_500), [])
    assert.equal(batcher.takeAll()[0]?.sampleCount, 1)
  })

  it('keeps the first value of a second', () => {
    const batcher = new SampleBatcher()
    batcher.add(startMs, [{ series: user, value: 1 }])
    batcher.add(startMs, [{ series: user, value: 2 }])
    const [batch] = batcher.takeAll()
    assert.ok(batch)
    assert.equal(matrixOf(batch).get(seriesKey(user))?.[0], 1)
  })

  it('gives the very same list bytes while the series are the same, in whatever order they appear', () => {
    const batcher = new SampleBatcher()
    const again = { ...disk, labels: { ...disk.labels } }
    batcher.add(startMs, [
      { series: user, value: 1 },
      { series: disk, value: 1 },
    ])
    batcher.add(startMs + 15_000, [
      { series: again, value: 2 },
      { series: user, value: 2 },
    ])
    batcher.add(startMs + 30_000, [{ series: user, value: 3 }])
    const lists = batcher.takeAll().map(({ block }) => block.series)
    assert.equal(lists[0], lists[1])
    assert.notDeepEqual(lists[1], lists[2])
  })

  it('also gives up cells that a step of the clock left behind', () => {
    const batcher = new SampleBatcher()
    batcher.add(startMs + 3_600_000, [{ series: user, value: 1 }])
    batcher.add(startMs, [{ series: user, value: 2 }])
    const taken = batcher.takeEnded(startMs + 500)
    assert.deepEqual(
      taken.map(({ block }) => block.startMs),
      [startMs + 3_600_000],
    )
  })

  it('refuses more series than a request may have, and says how many', () => {
    const batcher = new SampleBatcher()
    const samples = Array.from({ length: seriesPerBatchMax + 5 }, (_, index) => ({
      series: series('disk.io', `veth${index}`),
      value: 1,
    }))
    assert.equal(batcher.add(startMs, samples), 5)
    assert.equal(batcher.add(startMs + 1000, samples.slice(0, 10)), 0)
  })

  it('loses and invents nothing (property)', () => {
    const sample = fc.record({ second: fc.nat(59), name: fc.nat(6), value: fc.double({ noNaN: true }) })
    fc.assert(
      fc.property(fc.array(sample, { maxLength: 200 }), (samples) => {
        const batcher = new SampleBatcher()
        const expected = new Map<string, number>()
        for (const { second, name, value } of samples) {
          const ref = series(`m${name}`)
          batcher.add(startMs + second * 1000, [{ series: ref, value }])
          const key = `${second} ${seriesKey(ref)}`
          if (!expected.has(key)) expected.set(key, value)
        }
        const found = new Map<string, number>()
        for (const batch of batcher.takeAll()) {
          for (const [key, slots] of matrixOf(batch)) {
            for (const [slot, value] of slots.entries()) {
              const second = (batch.block.startMs - startMs) / 1000 + slot
              if (!Number.isNaN(value)) found.set(`${second} ${key}`, value)
            }
          }
        }
        assert.deepEqual(new Map([...found].sort()), new Map([...expected].sort()))
      }),
    )
  })
})
