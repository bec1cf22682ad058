/**
 * Columns as uPlot wants them. A slot is drawn at its middle. A line that is not final yet is a second, dashed one that
 * starts at the last final point; a gap stays a gap because null stays null in both.
 *
 *   x          t0   t1   t2   t3   t4
 *   final       3    4   null  5  null
 *   provisional                5    6
 */
import type { Line } from './chart-lines.ts'
import { provisionalSlot, type RangeColumns } from './range-columns.ts'

type Slots = readonly (number | null)[]

export interface ChartData {
  /** x, then for each line its final and its provisional values; then max and min when there is a band. */
  readonly rows: [number[], ...(number | null)[][]]
  /** How many values that are not null the lines hold. */
  readonly points: number
  /** Start of the newest slot that has a value; undefined when there is none. */
  readonly lastSlotMs: number | undefined
  /** Where what is drawn stops being final. */
  readonly provisionalFromMs: number
}

export function chartData(range: RangeColumns, lines: readonly Line[]): ChartData {
  const length = (range.endMs - range.startMs) / range.stepMs
  const open = provisionalSlot(range)
  const xs = Array.from({ length }, (_, slot) => range.startMs + (slot + 0.5) * range.stepMs)
  let points = 0
  let lastSlot = -1
  const rows: (number | null)[][] = []
  for (const { column } of lines) {
    column.avg.forEach((value, slot) => {
      if (value === null) return
      points++
      lastSlot = Math.max(lastSlot, slot)
    })
    rows.push(...split(column.avg, open))
  }
  const [only] = lines
  if (lines.length === 1 && only !== undefined) rows.push([...only.column.max], [...only.column.min])
  return {
    rows: [xs, ...rows],
    points,
    lastSlotMs: lastSlot < 0 ? undefined : range.startMs + lastSlot * range.stepMs,
    provisionalFromMs: range.startMs + open * range.stepMs,
  }
}

export function split(values: Slots, open: number): [final: (number | null)[], provisional: (number | null)[]] {
  return [
    values.map((value, slot) => (slot < open ? value : null)),
    values.map((value, slot) =>
      slot >= open || (slot === open - 1 && (values[open] ?? null) !== null) ? value : null,
    ),
  ]
}

/** Points without a neighbour: a line cannot show them, so they are drawn as dots. */
export function lonely(values: ArrayLike<number | null | undefined>): number[] {
  const found: number[] = []
  for (let slot = 0; slot < values.length; slot++) {
    const alone = (values[slot - 1] ?? null) === null && (values[slot + 1] ?? null) === null
    if ((values[slot] ?? null) !== null && alone) found.push(slot)
  }
  return found
}
