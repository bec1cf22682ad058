/**
 * One open minute of a partition: a matrix of 60 cells a series, NaN = not seen, that grows by doubling. Rows are given
 * out in the order in which series turn up.
 */
import { secondsPerMinute } from '@minutely/schema/limits'

/** What is given out: the matrix with its rows. Columns are made by rollUp. */
export interface ClosedMinute {
  readonly minuteMs: number
  /** Opened after it had been closed before. */
  readonly late: boolean
  /** Late, or opened after it had been given out early: a part of it is in the store, and this is not all of it. */
  readonly reopened: boolean
  readonly rowCount: number
  /** Slot of each row. */
  readonly slots: Int32Array
  readonly values: Float64Array
}

/** Few, because one series that is far behind opens a minute for itself. */
const rowsInitially = 32

export class OpenMinute implements ClosedMinute {
  readonly minuteMs: number
  readonly late: boolean
  readonly reopened: boolean
  /** Position of the first record that has a sample of this minute: a restart must read from there. */
  readonly firstPosition: number
  /** Trusted time when it was opened. */
  readonly openedAtMs: number
  rowCount = 0
  slots: Int32Array
  values: Float64Array
  /** Row + 1 of each slot, 0 = none. */
  #rowOfSlot: Int32Array = new Int32Array(rowsInitially)

  /** `matrix`: all NaN, to be used instead of a new one. */
  constructor(
    open: Pick<OpenMinute, 'minuteMs' | 'late' | 'reopened' | 'firstPosition' | 'openedAtMs'>,
    matrix: Float64Array = new Float64Array(rowsInitially * secondsPerMinute).fill(Number.NaN),
  ) {
    this.values = matrix
    this.slots = new Int32Array(matrix.length / secondsPerMinute)
    this.minuteMs = open.minuteMs
    this.late = open.late
    this.reopened = open.reopened
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
