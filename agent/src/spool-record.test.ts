/** The bytes of the spool: golden, and what becomes of them when they are cut or damaged anywhere. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { encodeSeriesList } from '@minutely/schema/sample-codec'
import fc from 'fast-check'
import type { Batch } from './batch.ts'
import { CellJournal, rebuildCell } from './cell-journal.ts'
import {
  decodeBatch,
  decodeBatchHead,
  encodeAcknowledged,
  encodeBatch,
  encodeReading,
  encodeSeries,
  encodeServer,
  frameAt,
  scanFrames,
} from './spool-record.ts'

const startMs = 1_764_028_800_000
const uptime = { metricId: 'system.uptime', labels: {} }
const user = { metricId: 'system.cpu.utilization', labels: { 'cpu.mode': 'user' } }
/** Made by other code (Python's zlib and struct) from the layout. */
const golden = {
  acknowledged: '4d6c0102040000004486d2ba00100000',
  server: '4d6c010306000000841123ec7765622d3137',
  series: '4d6c0104150000002139d64007000000021a73797374656d2e757074696d650000',
  reading: '4d6c010520000000287835b90000c0f584ab794207000000000000000000f83f08000000000000000000d03f',
}

function batchOf(values: readonly number[]): Batch {
  const matrix = Buffer.alloc(values.length * 8)
  for (const [slot, value] of values.entries()) matrix.writeDoubleLE(value, slot * 8)
  const block = { startMs, stepMs: 1000, slotCount: values.length, series: encodeSeriesList([uptime]), values: matrix }
  return { block, seriesCount: 1, sampleCount: values.length }
}

describe('records of the spool', () => {
  it('have the bytes that docs/formats.md describes', () => {
    assert.equal(encodeAcknowledged(4096).toString('hex'), golden.acknowledged)
    assert.equal(encodeServer('web-17').toString('hex'), golden.server)
    assert.equal(encodeSeries(7, [uptime]).toString('hex'), golden.series)
    const reading = encodeReading(startMs, [
      [7, 1.5],
      [8, 0.25],
    ])
    assert.equal(reading.toString('hex'), golden.reading)
  })

  it('give a batch back as it was, and its head without its samples', () => {
    const batch = batchOf([1, Number.NaN, 3])
    const { payload } = frameAt(encodeBatch(batch, { serverId: 'web-17', storedAtMs: 5 }), 0) ?? assert.fail()
    const read = decodeBatch(payload)
    assert.deepEqual(Buffer.from(read.block.values), batch.block.values)
    assert.deepEqual(Buffer.from(read.block.series), batch.block.series)
    assert.equal(read.block.startMs, startMs)
    const blockBytes = batch.block.series.length + batch.block.values.length
    const head = { serverId: 'web-17', storedAtMs: 5, startMs, seriesCount: 1, sampleCount: 3, blockBytes }
    assert.deepEqual(decodeBatchHead(payload), head)
  })

  it('are read as far as a file was written, wherever it was cut (property)', () => {
    const records = [encodeServer('a'), encodeAcknowledged(1), encodeReading(startMs, [[0, 1]])]
    const file = Buffer.concat(records)
    fc.assert(
      fc.property(fc.nat(file.length), (length) => {
        const { frames, unsoundBytes } = scanFrames(file.subarray(0, length))
        const whole = records.filter((_, index) => Buffer.concat(records.slice(0, index + 1)).length <= length)
        assert.equal(frames.length, whole.length)
        assert.equal(unsoundBytes, length - Buffer.concat(whole).length)
      }),
    )
  })

  it('survive damage to a neighbour, and none that was damaged is read (property)', () => {
    const records = [encodeServer('a'), encodeAcknowledged(1), encodeReading(startMs, [[0, 1]]), encodeServer('b')]
    const file = Buffer.concat(records)
    fc.assert(
      fc.property(fc.nat(file.length - 1), fc.integer({ min: 1, max: 255 }), (offset, mask) => {
        const damaged = Buffer.from(file)
        damaged[offset] = (damaged[offset] ?? 0) ^ mask
        const { frames, unsoundBytes } = scanFrames(damaged)
        const starts = records.map((_, index) => Buffer.concat(records.slice(0, index)).length)
        const hit = starts.findLastIndex((start) => start <= offset)
        assert.deepEqual(
          frames.map((frame) => frame.offset),
          starts.filter((_, index) => index !== hit),
        )
        assert.equal(unsoundBytes, records[hit]?.length)
      }),
    )
  })
})

describe('CellJournal', () => {
  it('goes on in another file after an append that failed, and all files together are the cell', () => {
    const files = new Map<string, Buffer>()
    let isFailing = false
    const journal = new CellJournal({
      serverId: 'web-17',
      nextName: () => `file ${files.size}`,
      append(name, bytes) {
        const written = isFailing ? bytes.subarray(0, 30) : bytes
        files.set(name, Buffer.concat([files.get(name) ?? Buffer.alloc(0), written]))
        return !isFailing
      },
      remove: (name) => files.delete(name),
    })
    for (const slot of [0, 1, 2, 3]) {
      isFailing = slot === 1
      const samples = [
        { series: user, value: slot + 0.5 },
        { series: uptime, value: slot },
      ]
      // A series appears in the very second that fails.
      journal.add(startMs + slot * 1000, slot === 0 ? samples.slice(0, 1) : samples)
    }
    assert.equal(files.size, 2)
    const rebuilt = [...files.values()].map((bytes) => rebuildCell(bytes))
    assert.deepEqual(
      rebuilt.map(({ batches }) => batches[0]?.sampleCount),
      [1, 4],
    )
    const matrix = Buffer.from(rebuilt[1]?.batches[0]?.block.values ?? assert.fail())
    assert.deepEqual([matrix.readDoubleLE(2 * 8), matrix.readDoubleLE((15 + 2) * 8)], [2.5, 2])
    journal.forget(startMs)
    assert.equal(files.size, 0)
  })
})

describe('rebuildCell', () => {
  it('never gives a value to another series when the record that names series is damaged', () => {
    const second = encodeSeries(1, [user])
    const parts = [
      encodeServer('web-17'),
      encodeSeries(0, [uptime]),
      encodeReading(startMs, [[0, 10]]),
      second,
      encodeReading(startMs + 1000, [
        [0, 11],
        [1, 0.5],
      ]),
    ]
    assert.equal(rebuildCell(Buffer.concat(parts)).batches[0]?.sampleCount, 3)
    const damaged = Buffer.from(second)
    damaged[20] = (damaged[20] ?? 0) ^ 1
    const { batches, unsoundBytes } = rebuildCell(Buffer.concat(parts.with(3, damaged)))
    assert.equal(batches[0]?.sampleCount, 2)
    assert.equal(unsoundBytes, second.length)
    const values = Buffer.from(batches[0]?.block.values ?? assert.fail())
    assert.deepEqual([values.readDoubleLE(0), values.readDoubleLE(8)], [10, 11])
  })

  it('gives nothing when it does not say whose samples they are', () => {
    const { batches, unsoundBytes } = rebuildCell(
      Buffer.concat([encodeSeries(0, [uptime]), encodeReading(0, [[0, 1]])]),
    )
    assert.deepEqual(batches, [])
    assert.ok(unsoundBytes > 0)
  })
})
