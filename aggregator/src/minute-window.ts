/**
 * The open minutes of one partition: for each a matrix of 60 slots a series. Pure: no time, no I/O.
 *
 *              second 0   1   2  ...  59
 *   row 0  (slot 17)  .31 NaN .30      .28     NaN = not seen
 *   row 1  (slot 18)  ...
 *
 * Folding writes a value where the cell is empty: the first value of a second wins, an equal one is a duplicate, a
 * different one a conflict. So a minute is a set of (second, value), and folding the same record twice changes
 * nothing. Closing scans each row once: seen, min, max, sum (roll-up.ts).
 *
 * A minute that was closed already and gets samples again is opened a second time as *late*; it is merged into the
 * store like any other (store-minutes.ts). Bounds: openMinutesMax and bytesMax; past either some minutes are given out
 * early, which is legal because the merge is a set union.
 */
import { minuteMs, secondMs, secondsPerMinute } from '@minutely/schema/limits'
import type { SampleSection } from '@minutely/schema/sample-codec'
import { OpenMinute } from './open-minute.ts'
import { checkGrid } from './section-check.ts'

export interface FoldCounts {
  /** Cells that were empty and now hold a value. */
  folded: number
  /** Same series, second and value again. */
  duplicate: number
  /** Same series and second but another value: dropped. */
  conflict: number
}

const cellBytes = 8
/** Two minutes are open at a time while one closes. */
const sparesMax = 2

export interface WindowsConfig {
  /** Open minutes that are not late. */
  readonly openMinutesMax: number
  /** Late ones: small, and a backfill of two days touches 2,880 of them at once. */
  readonly lateMinutesMax: number
  /** May change while minutes are open (window-budget.ts). */
  readonly bytesMax: number
  /** How long a late minute gathers before it is merged, in trusted time. */
  readonly lateHoldMs: number
}

export class MinuteWindows {
  readonly #config: WindowsConfig
  readonly #open = new Map<number, OpenMinute>()
  /** Not closed yet but given out in part. */
  readonly #givenEarly = new Set<number>()
  #closedThroughMs: number
  #scratch: Float64Array = new Float64Array(4_096)
  /** Matrices of stored minutes, all NaN again: the next minute needs neither 20 MB of fresh pages nor nine doublings. */
  readonly #spare: Float64Array[] = []

  constructor(config: WindowsConfig, closedThroughMs: number) {
    this.#config = config
    this.#closedThroughMs = closedThroughMs
  }

  get closedThroughMs(): number {
    return this.#closedThroughMs
  }

  /** Oldest first. */
  get open(): OpenMinute[] {
    return [...this.#open.values()].sort((a, b) => a.minuteMs - b.minuteMs)
  }

  get bytes(): number {
    let bytes = 0
    for (const minute of this.#open.values()) bytes += minute.bytes
    return bytes
  }

  /** With the matrices that are kept for the next minutes. */
  get bytesHeld(): number {
    return this.bytes + this.#spareBytes
  }

  get #spareBytes(): number {
    return this.#spare.reduce((sum, { byteLength }) => sum + byteLength, 0)
  }

  /** More is open than may be: closeUpTo brings it back within the bounds. */
  get overflowing(): boolean {
    const { openMinutesMax, lateMinutesMax, bytesMax } = this.#config
    const lateCount = this.#lateCount
    return lateCount > lateMinutesMax || this.#open.size - lateCount > openMinutesMax || this.bytes > bytesMax
  }

  get #lateCount(): number {
    let count = 0
    for (const { late } of this.#open.values()) if (late) count++
    return count
  }

  /**
   * Puts a section's samples into their minutes. `slots` are its series', in the order of its rows.
   * @throws CodecError when the grid or the matrix is not what it should be; then nothing was folded.
   */
  fold(section: SampleSection, slots: Int32Array, at: { position: number; trustedMs: number }): FoldCounts {
    checkGrid(section, slots.length)
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
    let [folded, duplicate, conflict] = [0, 0, 0]
    for (let index = 0; index < slots.length; index++) {
      const end = index * slotCount + to
      let source = index * slotCount + from
      while (source < end && Number.isNaN(matrix[source])) source++
      if (source === end) continue
      minute ??= open()
      // Before its values are looked at: a new row may need a larger matrix.
      const row = minute.rowFor(slots[index] as number)
      const { values } = minute
      let target = row * secondsPerMinute + second + (source - (index * slotCount + from)) * stride
      for (; source < end; source++, target += stride) {
        const value = matrix[source] as number
        if (Number.isNaN(value)) continue
        const present = values[target] as number
        if (Number.isNaN(present)) {
          // Of 0 and -0, which are equal, the first would win; + 0 makes them one.
          values[target] = value + 0
          folded++
        } else if (present === value) duplicate++
        else conflict++
      }
    }
    counts.folded += folded
    counts.duplicate += duplicate
    counts.conflict += conflict
  }

  /**
   * Gives out, oldest first, what is to be stored now, and forgets it. Late minutes only when none is due on time: those
   * that readers wait for must not stand behind a backfill. So call it until it gives nothing.
   */
  closeUpTo(closedThroughMs: number, trustedMs: number): OpenMinute[] {
    if (closedThroughMs > this.#closedThroughMs) this.#closedThroughMs = closedThroughMs
    for (const early of this.#givenEarly) if (early + minuteMs <= this.#closedThroughMs) this.#givenEarly.delete(early)
    const onTime = this.open.filter((minute) => !minute.late && minute.minuteMs + minuteMs <= this.#closedThroughMs)
    const late = (): OpenMinute[] =>
      this.open.filter((minute) => minute.late && trustedMs - minute.openedAtMs >= this.#config.lateHoldMs)
    const due = onTime.length > 0 ? onTime : late()
    for (const minute of due) this.#open.delete(minute.minuteMs)
    return [...due, ...this.#overflow()].sort((a, b) => a.minuteMs - b.minuteMs)
  }

  /**
   * The minutes past the bounds. Past openMinutesMax those go that are in the store in part already, then those with
   * the fewest rows, newest first: a host whose clock is off opens minutes of its own, and they must not have
   * everybody's current minute cut in two. Past lateMinutesMax and bytesMax the oldest go: they grow least.
   */
  #overflow(): OpenMinute[] {
    const given: OpenMinute[] = []
    const give = (minute: OpenMinute): void => {
      this.#open.delete(minute.minuteMs)
      if (!minute.late) this.#givenEarly.add(minute.minuteMs)
      given.push(minute)
    }
    const lateExcess = Math.max(0, this.#lateCount - this.#config.lateMinutesMax)
    for (const minute of this.open.filter(({ late }) => late).slice(0, lateExcess)) give(minute)
    const current = this.open.filter(({ late }) => !late)
    const excess = current.length - this.#config.openMinutesMax
    if (excess > 0) {
      const cheapest = current.sort(
        (a, b) => Number(b.reopened) - Number(a.reopened) || a.rowCount - b.rowCount || b.minuteMs - a.minuteMs,
      )
      for (const minute of cheapest.slice(0, excess)) give(minute)
    }
    let bytes = this.bytes
    if (bytes + this.#spareBytes > this.#config.bytesMax) this.#spare.length = 0
    for (const minute of this.open) {
      if (bytes <= this.#config.bytesMax) break
      bytes -= minute.bytes
      give(minute)
    }
    return given
  }

  /** Gives out everything, early where it must be: what the log has from here on is another log's. */
  giveAll(): OpenMinute[] {
    const given = this.open
    for (const minute of given) if (!minute.late) this.#givenEarly.add(minute.minuteMs)
    this.#open.clear()
    return given
  }

  /** Takes back the matrices of minutes that nobody looks at any more. */
  recycle(minutes: readonly OpenMinute[]): void {
    let bytes = this.bytesHeld
    for (const { reopened, rowCount, values } of minutes) {
      if (reopened || this.#spare.length === sparesMax) continue
      // Spares are kept where there is room, not beside the bound.
      bytes += values.byteLength
      if (bytes > this.#config.bytesMax) return
      this.#spare.push(values.fill(Number.NaN, 0, rowCount * secondsPerMinute))
    }
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
      const reopened = late || this.#givenEarly.has(startMs)
      const open = { minuteMs: startMs, late, reopened, firstPosition: at.position, openedAtMs: at.trustedMs }
      // What is reopened is small; a matrix as large as a whole minute's would only count against the bound.
      minute = new OpenMinute(open, reopened ? undefined : this.#spare.pop())
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
