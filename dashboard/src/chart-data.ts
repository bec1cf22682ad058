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
  /** x, then upper and lower edge of each band, then for each line its final and its provisional values. */
  readonly rows: [number[], ...(number | null)[][]]
  readonly bandCount: number
  /** How many values that are not null the lines hold. */
  readonly points: number
  /** Start of the newest slot that has a value; undefined when there is none. */
  readonly lastSlotMs: number | undefined
  /** Where what is drawn stops being final. */
  readonly provisionalFromMs: number
}

export interface Band {
  readonly upper: Slots
  readonly lower: Slots
}

export type Grid = Pick<RangeColumns, 'startMs' | 'endMs' | 'stepMs' | 'completeThroughMs'>

/** Averages of the lines, and the lowest and highest around a single one. */
export function chartData(grid: Grid, lines: readonly Line[]): ChartData {
  const [only] = lines
  const band = { upper: only?.column.max ?? [], lower: only?.column.min ?? [] }
  return gridData(grid, {
    lines: lines.map(({ column }) => column.avg),
    bands: lines.length === 1 ? [band] : [],
  })
}

export function gridData(
  grid: Grid,
  { lines, bands }: { readonly lines: readonly Slots[]; readonly bands: readonly Band[] },
): ChartData {
  const length = (grid.endMs - grid.startMs) / grid.stepMs
  const open = provisionalSlot(grid)
  const xs = Array.from({ length }, (_, slot) => grid.startMs + (slot + 0.5) * grid.stepMs)
  let points = 0
  let lastSlot = -1
  for (const values of lines) {
    values.forEach((value, slot) => {
      if (value === null) return
      points++
      lastSlot = Math.max(lastSlot, slot)
    })
  }
  return {
    rows: [
      xs,
      ...bands.flatMap(({ upper, lower }) => [[...upper], [...lower]]),
      ...lines.flatMap((values) => split(values, open)),
    ],
    bandCount: bands.length,
    points,
    lastSlotMs: lastSlot < 0 ? undefined : grid.startMs + lastSlot * grid.stepMs,
    provisionalFromMs: grid.startMs + open * grid.stepMs,
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
