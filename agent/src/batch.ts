/**
 * Gathers one-second samples into column blocks, one per 15 s cell of the flush grid. Pure: time comes in with the
 * samples, in ms since the epoch on whole seconds.
 *
 *              :00  :01  :02  ...  :14      a block: always 15 slots from the cell's start,
 *   cpu user   .31  .30   -   ...  .33      rows in the order of their series keys, NaN where
 *   cpu idle   .69  .70   -   ...  .67      nothing was read
 *   eth1 in     -    -    17  ...   12      (a device that appeared at :02)
 *
 * Equal series sets give byte-equal series lists from block to block, whatever the order in which the series appeared: a
 * collector recognises a list it has seen by comparing bytes. The first value of a second wins, as everywhere.
 */
import { endianness } from 'node:os'
import { encodeSeriesList, type SampleBlock } from '@minutely/schema/sample-codec'
import { type SeriesRef, seriesKey } from '@minutely/schema/series-identity'
import { cellMs, cellStartMs } from './flush-grid.ts'
import type { HostSample } from './host-metrics.ts'

export const slotsPerCell = cellMs / 1000
/** Rows of one block. The collector takes 5,000 series a request; a host that churns devices must stay below. */
export const seriesPerBatchMax = 4000

export interface Batch {
  readonly block: SampleBlock
  readonly seriesCount: number
  /** Values that are not gaps. */
  readonly sampleCount: number
}

interface Row {
  readonly key: string
  readonly series: SeriesRef
  readonly values: Float64Array
}

export class SampleBatcher {
  readonly #keys = new WeakMap<SeriesRef, string>()
  readonly #cells = new Map<number, Map<string, Row>>()
  #listKeys: readonly string[] = []
  #list: Uint8Array = encodeSeriesList([])

  /** @returns how many samples had no room, because their cell already has seriesPerBatchMax series. */
  add(secondMs: number, samples: readonly HostSample[]): number {
    const startMs = cellStartMs(secondMs)
    const slot = (secondMs - startMs) / 1000
    let rows = this.#cells.get(startMs)
    if (rows === undefined) {
      rows = new Map()
      this.#cells.set(startMs, rows)
    }
    let refused = 0
    for (const { series, value } of samples) {
      const row = this.#rowOf(rows, series)
      if (row === undefined) refused += 1
      else if (Number.isNaN(row.values[slot])) row.values[slot] = value
    }
    return refused
  }

  /** The cells that have ended, or that a step of the clock left behind: all but the one nowMs lies in. Oldest first. */
  takeEnded(nowMs: number): Batch[] {
    const current = cellStartMs(nowMs)
    return this.#take((startMs) => startMs !== current)
  }

  /** Everything, the cell in progress included. */
  takeAll(): Batch[] {
    return this.#take(() => true)
  }

  #rowOf(rows: Map<string, Row>, series: SeriesRef): Row | undefined {
    const key = this.#keyOf(series)
    const known = rows.get(key)
    if (known !== undefined || rows.size >= seriesPerBatchMax) return known
    const row = { key, series, values: new Float64Array(slotsPerCell).fill(Number.NaN) }
    rows.set(key, row)
    return row
  }

  #keyOf(series: SeriesRef): string {
    const known = this.#keys.get(series)
    if (known !== undefined) return known
    const key = seriesKey(series)
    this.#keys.set(series, key)
    return key
  }

  #take(isWanted: (startMs: number) => boolean): Batch[] {
    const batches: Batch[] = []
    for (const startMs of [...this.#cells.keys()].filter(isWanted).sort((a, b) => a - b)) {
      const rows = [...(this.#cells.get(startMs)?.values() ?? [])]
      this.#cells.delete(startMs)
      if (rows.length > 0) batches.push(this.#batchOf(startMs, rows))
    }
    return batches
  }

  #batchOf(startMs: number, rows: Row[]): Batch {
    rows.sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0))
    const matrix = new Float64Array(rows.length * slotsPerCell)
    let sampleCount = 0
    for (const [index, { values }] of rows.entries()) {
      matrix.set(values, index * slotsPerCell)
      for (const value of values) if (!Number.isNaN(value)) sampleCount += 1
    }
    const block = {
      startMs,
      stepMs: 1000,
      slotCount: slotsPerCell,
      series: this.#listOf(rows),
      values: littleEndian(matrix),
    }
    return { block, seriesCount: rows.length, sampleCount }
  }

  /** The encoded list; encoded anew only when the set has changed. */
  #listOf(rows: readonly Row[]): Uint8Array {
    const same = rows.length === this.#listKeys.length && rows.every(({ key }, index) => key === this.#listKeys[index])
    if (!same) {
      this.#listKeys = rows.map(({ key }) => key)
      this.#list = encodeSeriesList(rows.map(({ series }) => series))
    }
    return this.#list
  }
}

function littleEndian(matrix: Float64Array): Uint8Array {
  const bytes = Buffer.from(matrix.buffer, matrix.byteOffset, matrix.byteLength)
  return endianness() === 'LE' ? bytes : bytes.swap64()
}
