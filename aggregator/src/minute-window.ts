/**
 * The open minutes of one partition: for each a matrix of 60 slots a series. Pure: no time, no I/O.
 *
 *              second 0   1   2  ...  59
 *   row 0  (slot 17)  .31 NaN .30      .28     NaN = not seen
 *   row 1  (slot 18)  ...
 *
 * Folding writes a value where the cell is empty: the first value of a second wins, an equal one is a duplicate, a
 * different one a conflict. So a minute is a set of (second, value), and folding the same record twice changes
 * nothing. Closing scans each row once: seen, min, max, sum.
 *
 * A minute that was closed already and gets samples again is opened a second time as *late*; it is merged into the
 * store like any other (store-minutes.ts). Bounds: openMinutesMax and bytesMax; past either the oldest minutes are
 * given out early, which is legal because the merge is a set union.
 */
import { sumRow } from '@minutely/schema/decimal-sum'
import { minuteMs, secondMs, secondsPerMinute } from '@minutely/schema/limits'
import type { SampleSection } from '@minutely/schema/sample-codec'

export interface FoldCounts {
  /** Cells that were empty and now hold a value. */
  folded: number
  /** Same series, second and value again. */
  duplicate: number
  /** Same series and second but another value: dropped. */
  conflict: number
}

/** What is given out: the matrix with its rows. Columns are made by rollUp. */
export interface ClosedMinute {
  readonly minuteMs: number
  /** Opened after it had been closed before. */
  readonly late: boolean
  readonly rowCount: number
  /** Slot of each row. */
  readonly slots: Int32Array
  readonly values: Float64Array
}

const rowsInitially = 256
const cellBytes = 8

export class OpenMinute implements ClosedMinute {
  readonly minuteMs: number
  readonly late: boolean
  /** Position of the first record that has a sample of this minute: a restart must read from there. */
  readonly firstPosition: number
  /** Trusted time when it was opened. */
  readonly openedAtMs: number
  rowCount = 0
  slots: Int32Array = new Int32Array(rowsInitially)
  values: Float64Array = new Float64Array(rowsInitially * secondsPerMinute).fill(Number.NaN)
  /** Row + 1 of each slot, 0 = none. */
  #rowOfSlot: Int32Array = new Int32Array(rowsInitially)

  constructor(open: { minuteMs: number; late: boolean; firstPosition: number; openedAtMs: number }) {
    this.minuteMs = open.minuteMs
    this.late = open.late
    this.firstPosition = open.firstPosition
    this.openedAtMs = open.openedAtMs
  }

  get bytes(): number {
    return this.values.byteLength + this.slots.byteLength + this.#rowOfSlot.byteLength
  }

  /** -1 when the slot has no row. */
  rowOf(slot: number): number {
    return slot < this.#rowOfSlot.length ? (this.#rowOfSlot[slot] as number) - 1 : -1
  }

  rowFor(slot: number): number {
    const known = this.rowOf(slot)
    if (known >= 0) return known
    if (slot >= this.#rowOfSlot.length) {
      const grown = new Int32Array(Math.max(slot + 1, this.#rowOfSlot.length * 2))
      grown.set(this.#rowOfSlot)
      this.#rowOfSlot = grown
    }
    const row = this.rowCount++
    if (row === this.slots.length) this.#growRows()
    this.#rowOfSlot[slot] = row + 1
    this.slots[row] = slot
    return row
  }

  #growRows(): void {
    const slots = new Int32Array(this.slots.length * 2)
    slots.set(this.slots)
    const values = new Float64Array(this.values.length * 2)
    values.set(this.values)
    values.fill(Number.NaN, this.values.length)
    this.slots = slots
    this.values = values
  }
}

export interface WindowsConfig {
  readonly openMinutesMax: number
  readonly bytesMax: number
  /** How long a late minute gathers before it is merged, in trusted time. */
  readonly lateHoldMs: number
}

export class MinuteWindows {
  readonly #config: WindowsConfig
  readonly #open = new Map<number, OpenMinute>()
  #closedThroughMs: number
  #scratch = new Float64Array(4_096)

  constructor(config: WindowsConfig, closedThroughMs: number) {
    this.#config = config
    this.#closedThroughMs = closedThroughMs
  }

  get closedThroughMs(): number {
    return this.#closedThroughMs
  }

  /** Oldest first. */
  get open(): readonly OpenMinute[] {
    return [...this.#open.values()].sort((a, b) => a.minuteMs - b.minuteMs)
  }

  get bytes(): number {
    let bytes = 0
    for (const minute of this.#open.values()) bytes += minute.bytes
    return bytes
  }

  /** Puts a section's samples into their minutes. `slots` are its series', in the order of its rows. */
  fold(section: SampleSection, slots: Int32Array, at: { position: number; trustedMs: number }): FoldCounts {
    const counts = { folded: 0, duplicate: 0, conflict: 0 }
    const matrix = this.#align(section.values)
    const { startMs, stepMs, slotCount } = section
    for (let from = 0; from < slotCount; ) {
      const firstMs = startMs + from * stepMs
      const minute = Math.floor(firstMs / minuteMs) * minuteMs
      const to = Math.min(slotCount, from + Math.ceil((minute + minuteMs - firstMs) / stepMs))
      const columns = { from, to, slotCount, second: (firstMs - minute) / secondMs, stride: stepMs / secondMs }
      this.#foldColumns(matrix, slots, columns, () => this.#minute(minute, at), counts)
      from = to
    }
    return counts
  }

  /** The columns [from, to) of every row; they lie in one minute, which is opened only when there is a value. */
  #foldColumns(
    matrix: Float64Array,
    slots: Int32Array,
    columns: { from: number; to: number; slotCount: number; second: number; stride: number },
    open: () => OpenMinute,
    counts: FoldCounts,
  ): void {
    const { from, to, slotCount, second, stride } = columns
    let minute: OpenMinute | undefined
    for (let index = 0; index < slots.length; index++) {
      const source = index * slotCount
      let cell = -1
      for (let column = from; column < to; column++) {
        const value = matrix[source + column] as number
        if (Number.isNaN(value)) continue
        if (cell < 0) {
          minute ??= open()
          cell = minute.rowFor(slots[index] as number) * secondsPerMinute + second
        }
        const target = cell + (column - from) * stride
        const values = (minute as OpenMinute).values
        const present = values[target] as number
        if (Number.isNaN(present)) {
          values[target] = value
          counts.folded++
        } else if (present === value) counts.duplicate++
        else counts.conflict++
      }
    }
  }

  /** Gives out, oldest first, what is to be stored now, and forgets it. */
  closeUpTo(closedThroughMs: number, trustedMs: number): OpenMinute[] {
    if (closedThroughMs > this.#closedThroughMs) this.#closedThroughMs = closedThroughMs
    const due = this.open.filter(
      (minute) =>
        minute.minuteMs + minuteMs <= this.#closedThroughMs &&
        (!minute.late || trustedMs - minute.openedAtMs >= this.#config.lateHoldMs),
    )
    for (const minute of due) this.#open.delete(minute.minuteMs)
    return [...due, ...this.#overflow()]
  }

  /** The oldest minutes past the bounds. */
  #overflow(): OpenMinute[] {
    const given: OpenMinute[] = []
    let bytes = this.bytes
    for (const minute of this.open) {
      if (this.#open.size <= this.#config.openMinutesMax && bytes <= this.#config.bytesMax) break
      this.#open.delete(minute.minuteMs)
      bytes -= minute.bytes
      given.push(minute)
    }
    return given
  }

  /** The first record a restart must read, given what was read up to now. */
  resumeAt(nextPosition: number): number {
    let position = nextPosition
    for (const minute of this.#open.values()) position = Math.min(position, minute.firstPosition)
    return position
  }

  #minute(startMs: number, at: { position: number; trustedMs: number }): OpenMinute {
    let minute = this.#open.get(startMs)
    if (minute === undefined) {
      const late = startMs + minuteMs <= this.#closedThroughMs
      minute = new OpenMinute({ minuteMs: startMs, late, firstPosition: at.position, openedAtMs: at.trustedMs })
      this.#open.set(startMs, minute)
    }
    return minute
  }

  /** The bytes as doubles: they lie anywhere in a record, a Float64Array must start at a multiple of 8. */
  #align(bytes: Uint8Array): Float64Array {
    const cells = bytes.byteLength / cellBytes
    if (cells > this.#scratch.length) this.#scratch = new Float64Array(cells * 2)
    new Uint8Array(this.#scratch.buffer, 0, bytes.byteLength).set(bytes)
    return this.#scratch
  }
}

/** Columns of a minute's rows, in the order of its rows. */
export interface RolledMinute {
  readonly rowCount: number
  /** Bit s: second s was seen, s in [0, 30). */
  readonly seenLow: Int32Array
  /** Bit s - 30: second s was seen, s in [30, 60). */
  readonly seenHigh: Int32Array
  readonly min: Float64Array
  readonly max: Float64Array
  readonly sum: Float64Array
}

export const secondsPerHalf = 30

/** Scans each row once. */
export function rollUp({ rowCount, values }: Pick<ClosedMinute, 'rowCount' | 'values'>): RolledMinute {
  const rolled = {
    rowCount,
    seenLow: new Int32Array(rowCount),
    seenHigh: new Int32Array(rowCount),
    min: new Float64Array(rowCount),
    max: new Float64Array(rowCount),
    sum: new Float64Array(rowCount),
  }
  for (let row = 0; row < rowCount; row++) {
    const start = row * secondsPerMinute
    let min = Number.POSITIVE_INFINITY
    let max = Number.NEGATIVE_INFINITY
    let low = 0
    let high = 0
    for (let second = 0; second < secondsPerMinute; second++) {
      const value = values[start + second] as number
      if (Number.isNaN(value)) continue
      if (second < secondsPerHalf) low |= 1 << second
      else high |= 1 << (second - secondsPerHalf)
      if (value < min) min = value
      if (value > max) max = value
    }
    rolled.seenLow[row] = low
    rolled.seenHigh[row] = high
    rolled.min[row] = min
    rolled.max[row] = max
    rolled.sum[row] = sumRow(values, start, secondsPerMinute)
  }
  return rolled
}

/** Number of bits set in a half of `seen`. */
export function bitCount(bits: number): number {
  let rest = bits - ((bits >>> 1) & 0x55555555)
  rest = (rest & 0x33333333) + ((rest >>> 2) & 0x33333333)
  return (((rest + (rest >>> 4)) & 0x0f0f0f0f) * 0x01010101) >>> 24
}
