/**
 * Rows of values on time grids -> canonical sections, one for each (server, order, grid):
 *
 *     grid: startMs, stepMs, slotCount          matrix, one row per series, NaN = gap
 *     ┌─ slot 0 ─┬─ slot 1 ─┬─ ...              a │ 0.31 │ NaN │ 0.30 │
 *     startMs    startMs + stepMs               b │ 1    │ 2   │ NaN  │
 *
 * startMs and stepMs are whole seconds (ms). Within a request the first value of a second wins, and readers fold
 * sections in order; `order` is what keeps that true: sections are sorted by it, so whoever adds a series a second time
 * gives it a higher one.
 *
 * Bounded: scattered samples make a section each (about 1 KB of objects while in memory), and padding makes up to 8 slots
 * of a sample. What passes the bounds is refused as a whole, with how to send it.
 */
import { ApiError } from '@minutely/schema/error-catalogue'
import { encodeSeriesList, type SampleSection } from '@minutely/schema/sample-codec'
import type { SeriesRef } from '@minutely/schema/series-identity'

/** Enough for any 8 MiB on a grid; only scattered or off-grid samples come near. */
const sectionsMax = 5_000
/** 10 MB. 140,000 rows, each padded to 8 slots, stay below. */
const slotsMax = 1_250_000
/** Samples on a grid that is not of whole seconds are placed one by one, at some 50 bytes each while that lasts. */
const offGridMax = 250_000
/** 64 KiB: rows are gathered in chunks of so many slots and copied once, since arrays that double leave much behind. */
const chunkSlotsMax = 8_192

export interface Grid {
  readonly startMs: number
  readonly stepMs: number
  readonly slotCount: number
}

export interface SectionOwner {
  readonly tenantId: string
  readonly serverId: string
}

/** A section and what its list says, decoded. */
export interface BuiltSection {
  readonly section: SampleSection
  readonly series: readonly SeriesRef[]
}

/** The rows of one grid. Write a row at rowStart() into `values`, then keep it; a row that is not kept is written over. */
export class GridRows {
  readonly grid: Grid
  readonly owner: SectionOwner
  readonly order: number
  /** The chunk that has room for the next row. */
  values = new Float64Array(0)
  readonly #full: Float64Array[] = []
  readonly #series: SeriesRef[] = []
  readonly #takeSlots: (slotCount: number) => void
  /** Slots of kept rows in `values`. */
  #used = 0

  constructor(owner: SectionOwner, place: { grid: Grid; order: number }, deps: { takeSlots: (count: number) => void }) {
    this.owner = owner
    this.grid = place.grid
    this.order = place.order
    this.#takeSlots = deps.takeSlots
  }

  /** Index of the next row's slot 0 in `values`, which has room for the whole row. */
  rowStart(): number {
    const { slotCount } = this.grid
    if (this.#used + slotCount > this.values.length) {
      if (this.#used > 0) this.#full.push(this.values)
      const rowCount = Math.max(1, Math.min(this.#series.length, Math.floor(chunkSlotsMax / slotCount)))
      this.values = new Float64Array(rowCount * slotCount)
      this.#used = 0
    }
    return this.#used
  }

  keepRow(series: SeriesRef): void {
    this.#takeSlots(this.grid.slotCount)
    this.#series.push(series)
    this.#used += this.grid.slotCount
  }

  build(): BuiltSection | null {
    if (this.#series.length === 0) return null
    const values = new Float64Array(this.#series.length * this.grid.slotCount)
    let at = 0
    for (const chunk of this.#full) {
      values.set(chunk, at)
      at += chunk.length
    }
    values.set(this.values.subarray(0, this.#used), at)
    const section = {
      ...this.owner,
      ...this.grid,
      series: encodeSeriesList(this.#series),
      values: Buffer.from(values.buffer),
    }
    return { section, series: this.#series }
  }
}

export class SectionBuilder {
  readonly #rows = new Map<string, GridRows>()
  readonly #tenantId: string
  #slotCount = 0
  #offGridCount = 0

  constructor(tenantId: string) {
    this.#tenantId = tenantId
  }

  /** @throws ApiError body-too-large when the samples of the request are too scattered. */
  rowsOf(serverId: string, grid: Grid, order: number): GridRows {
    const key = `${serverId} ${order} ${grid.startMs} ${grid.stepMs} ${grid.slotCount}`
    let rows = this.#rows.get(key)
    if (rows === undefined) {
      if (this.#rows.size >= sectionsMax) throw tooScattered(`${sectionsMax} separate stretches of time`)
      const owner = { tenantId: this.#tenantId, serverId }
      rows = new GridRows(owner, { grid, order }, { takeSlots: (slotCount) => this.#takeSlots(slotCount) })
      this.#rows.set(key, rows)
    }
    return rows
  }

  /** Before they are placed. @throws ApiError body-too-large when the request has too many of them. */
  takeOffGrid(count: number): void {
    this.#offGridCount += count
    if (this.#offGridCount > offGridMax) throw tooScattered(`${offGridMax} instants off the grid of whole seconds`)
  }

  build(): (BuiltSection & { order: number })[] {
    const built: (BuiltSection & { order: number })[] = []
    for (const [key, rows] of this.#rows) {
      this.#rows.delete(key)
      const section = rows.build()
      if (section !== null) built.push({ ...section, order: rows.order })
    }
    return built.sort((a, b) => a.order - b.order)
  }

  #takeSlots(slotCount: number): void {
    this.#slotCount += slotCount
    if (this.#slotCount > slotsMax) throw tooScattered(`${slotsMax} slots of time`)
  }
}

function tooScattered(bound: string): ApiError {
  return new ApiError('body-too-large', `The samples are spread over more than ${bound}: send fewer of them at a time`)
}
