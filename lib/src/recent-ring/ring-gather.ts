/**
 * Holds new rows back until some minutes of each series are together, because what Redis does costs by key and command
 * rather than by byte: ten minutes in one APPEND cost little more than one. Meanwhile readers take these minutes
 * from Postgres, where they are the cheap end of a range. What is held when the process ends is lost, as any push may be.
 */
import { emptyRingRows, type RingIdentity, type RingRows } from './recent-ring.ts'

const bytesPerRow = 44
/** Series id and row make one double, so that sorting numbers sorts rows. */
const rowsMax = 2 ** 21

export interface GatheredRows {
  readonly identity: RingIdentity
  /** By series; within one in the order in which they came. */
  readonly rows: RingRows
}

export class RingGather {
  readonly #minutesMax: number
  readonly #rowsMax: number
  #held: RingRows[] = []
  #identity: RingIdentity | undefined
  #count = 0
  #oldestMinute = Number.POSITIVE_INFINITY

  constructor(limits: { readonly minutesMax: number; readonly bytesMax: number }) {
    this.#minutesMax = limits.minutesMax
    this.#rowsMax = Math.min(rowsMax, Math.floor(limits.bytesMax / bytesPerRow))
  }

  /** Takes the rows; whoever gives them does not change them any more. @returns what is due. */
  add(identity: RingIdentity, rows: RingRows): GatheredRows | undefined {
    // Nobody reads a ring of before.
    if (this.#identity?.epoch !== identity.epoch) this.#take()
    this.#identity = identity
    const overdue = this.#count + rows.count > this.#rowsMax ? this.#take() : undefined
    this.#held.push(rows)
    this.#count += rows.count
    let newest = 0
    for (let row = 0; row < rows.count; row++) {
      const minute = rows.minutes[row] as number
      if (minute < this.#oldestMinute) this.#oldestMinute = minute
      if (minute > newest) newest = minute
    }
    if (overdue !== undefined) return { identity, rows: overdue }
    const isDue = newest - this.#oldestMinute + 1 >= this.#minutesMax
    return isDue ? { identity, rows: this.#take() } : undefined
  }

  #take(): RingRows {
    const rows = bySeries(this.#held, this.#count)
    this.#held = []
    this.#count = 0
    this.#oldestMinute = Number.POSITIVE_INFINITY
    return rows
  }
}

const columns = ['seriesIds', 'tags', 'minutes', 'seenLow', 'seenHigh', 'min', 'max', 'sum'] as const

function bySeries(parts: readonly RingRows[], count: number): RingRows {
  const [only] = parts
  if (parts.length === 1 && only !== undefined) return only
  const order = new Float64Array(count)
  let at = 0
  for (const { seriesIds, count: partCount } of parts) {
    for (let row = 0; row < partCount; row++, at++) order[at] = (seriesIds[row] as number) * rowsMax + at
  }
  order.sort()
  // Once, since a remainder of doubles costs more than all the rest.
  const rowAt = new Uint32Array(count)
  for (let index = 0; index < count; index++) rowAt[index] = (order[index] as number) % rowsMax
  const sorted = emptyRingRows(count)
  const all = new Float64Array(count)
  for (const name of columns) {
    let start = 0
    for (const part of parts) {
      all.set(part[name].subarray(0, part.count), start)
      start += part.count
    }
    const target = sorted[name]
    for (let index = 0; index < count; index++) target[index] = all[rowAt[index] as number] as number
  }
  return sorted
}
