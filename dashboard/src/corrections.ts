/**
 * Late corrections: steps that were final when they were read, and are different when they are read again, because late data was merged
 * into them. Remembered for as long as somebody watches, so that a line that moved says so.
 */
import { type Cell, type Column, cellAt, provisionalSlot, type RangeColumns } from './range-columns.ts'

/** By metric: starts of the steps. */
export type Corrections = ReadonlyMap<string, ReadonlySet<number>>
export const noCorrections: Corrections = new Map()

type Range = Pick<RangeColumns, 'startMs' | 'endMs' | 'stepMs' | 'completeThroughMs' | 'columns'>

/** Sums of values that are no decimals depend on the order in which they were added. */
const relativeMin = 1e-9

/** What was known, and what is different in `after`. The same object when nothing is. */
export function withCorrections(
  known: Corrections,
  { before, after }: { readonly before: Range; readonly after: Range },
): Corrections {
  if (before.stepMs !== after.stepMs) return known
  const found = new Map<string, Set<number>>()
  const old = new Map(before.columns.map((column) => [column.key, column]))
  const fromMs = Math.max(before.startMs, after.startMs)
  const toMs = Math.min(before.startMs + provisionalSlot(before) * before.stepMs, after.endMs)
  for (const column of after.columns) {
    for (let ms = fromMs; ms < toMs; ms += after.stepMs) {
      if (isSame(cellIn(before, old.get(column.key), ms), cellIn(after, column, ms))) continue
      const { metricId } = column
      found.set(metricId, (found.get(metricId) ?? new Set(known.get(metricId))).add(ms))
    }
  }
  const isNews = [...found].some(([metricId, starts]) => starts.size > (known.get(metricId)?.size ?? 0))
  return isNews ? new Map([...known, ...found]) : known
}

function cellIn(range: Range, column: Column | undefined, ms: number): Cell | undefined {
  return column === undefined ? undefined : cellAt(column, (ms - range.startMs) / range.stepMs)
}

function isSame(a: Cell | undefined, b: Cell | undefined): boolean {
  if (a === undefined || b === undefined) return a === b
  const near = Math.abs(a.avg - b.avg) <= relativeMin * Math.max(Math.abs(a.avg), Math.abs(b.avg))
  return near && a.min === b.min && a.max === b.max && a.count === b.count
}
