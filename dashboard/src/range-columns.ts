/**
 * The columns of some metrics over a window, kept current by live minutes. Pure: every function returns new columns.
 *
 *   slots      |----|----|----|----|....|        one per step, null = no sample was seen
 *   minutes                   ||||||||..         the tail, only when a step is longer than a minute
 *              startMs        tailStartMs   endMs
 *
 * A live minute replaces that minute of that series. Where a step is one minute that is the slot itself. Where it is
 * longer, the slot is folded again from the tail's minutes: min of min, max of max, sum and count added, avg = sum / count;
 * nothing averages averages. The tail starts on a step, so a slot is either all tail or untouched; a correction older
 * than the tail waits for the next read of the range.
 */
import type { LiveMinute, SeriesAnswer, SeriesColumns } from '@minutely/schema/query-wire'
import { minuteMs, type Window } from './time-range.ts'

export interface Cell {
  readonly min: number
  readonly max: number
  readonly avg: number
  readonly sum: number
  readonly count: number
}

type Slots = readonly (number | null)[]
export const cellFields = ['min', 'max', 'avg', 'sum', 'count'] as const

export interface Column {
  readonly key: string
  readonly metricId: string
  readonly labels: Readonly<Record<string, string>>
  readonly min: Slots
  readonly max: Slots
  readonly avg: Slots
  readonly sum: Slots
  readonly count: Slots
}

export interface RangeColumns {
  readonly startMs: number
  readonly endMs: number
  readonly stepMs: number
  /** Slots that end after this instant are provisional. */
  readonly completeThroughMs: number
  readonly columns: readonly Column[]
  readonly tailStartMs: number
  /** By minute, then by series key. */
  readonly tail: ReadonlyMap<number, ReadonlyMap<string, Cell>>
}

export function seriesKey(series: { metricId: string; labels: Readonly<Record<string, string>> }): string {
  const pairs = Object.entries(series.labels).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
  return JSON.stringify([series.metricId, ...pairs])
}

/** `tail` is the same metrics minute by minute from tailFrom on; needed only when the answer's step is longer. */
export function fromAnswer(answer: SeriesAnswer, tail?: SeriesAnswer): RangeColumns {
  const length = (answer.endMs - answer.startMs) / answer.stepMs
  const byMinute = new Map<number, Map<string, Cell>>()
  for (const series of tail?.series ?? []) {
    const column = columnOf(series, (series.avg ?? []).length)
    for (let slot = 0; slot < column.avg.length; slot++) {
      const cell = cellAt(column, slot)
      const at = (tail?.startMs ?? 0) + slot * minuteMs
      if (cell !== undefined) byMinute.set(at, (byMinute.get(at) ?? new Map()).set(column.key, cell))
    }
  }
  return {
    startMs: answer.startMs,
    endMs: answer.endMs,
    stepMs: answer.stepMs,
    // Of two answers the earlier one may have been read before a minute closed.
    completeThroughMs: Math.min(answer.completeThroughMs, tail?.completeThroughMs ?? answer.completeThroughMs),
    columns: answer.series.map((series) => columnOf(series, length)),
    tailStartMs: tail?.startMs ?? answer.endMs,
    tail: byMinute,
  }
}

/** Where the tail has to start so that live minutes can be folded: two whole steps before the end. */
export function tailStart(window: Window): number {
  return window.toMs - 2 * window.stepMs
}

/** Takes over one live minute of the given metrics. The same object when it changes nothing. */
export function withMinute(range: RangeColumns, minute: LiveMinute, metricIds: ReadonlySet<string>): RangeColumns {
  const completeThroughMs = Math.max(range.completeThroughMs, minute.completeThroughMs)
  const overtaken = minute.provisional && minute.minuteMs + minuteMs <= range.completeThroughMs
  const outside = minute.minuteMs < range.startMs || minute.minuteMs >= range.endMs
  const tooOld = range.stepMs > minuteMs && minute.minuteMs < range.tailStartMs
  const series = minute.series.filter(({ metricId }) => metricIds.has(metricId))
  if (overtaken || outside || tooOld || series.length === 0) return withCompleteThrough(range, completeThroughMs)

  const cells = new Map<string, Cell>()
  const columns = new Map(range.columns.map((column) => [column.key, column]))
  const length = (range.endMs - range.startMs) / range.stepMs
  for (const one of series) {
    const key = seriesKey(one)
    cells.set(key, { min: one.min, max: one.max, avg: one.avg, sum: one.sum, count: one.count })
    if (!columns.has(key)) columns.set(key, columnOf({ metricId: one.metricId, labels: one.labels }, length))
  }

  const slot = Math.floor((minute.minuteMs - range.startMs) / range.stepMs)
  let tail = range.tail
  if (range.stepMs > minuteMs) {
    tail = new Map(tail).set(minute.minuteMs, new Map([...(tail.get(minute.minuteMs) ?? []), ...cells]))
    const slotMs = range.startMs + slot * range.stepMs
    for (const key of cells.keys()) {
      const parts: Cell[] = []
      for (let at = slotMs; at < slotMs + range.stepMs; at += minuteMs) {
        const cell = tail.get(at)?.get(key)
        if (cell !== undefined) parts.push(cell)
      }
      cells.set(key, fold(parts))
    }
  }
  for (const [key, cell] of cells) {
    const column = columns.get(key)
    if (column !== undefined) columns.set(key, withCell(column, slot, cell))
  }
  return { ...range, completeThroughMs, columns: [...columns.values()], tail }
}

export function withCompleteThrough(range: RangeColumns, completeThroughMs: number): RangeColumns {
  return completeThroughMs > range.completeThroughMs ? { ...range, completeThroughMs } : range
}

/** Moves a range that follows the clock: new slots are null, those before the window are dropped. Same step only. */
export function slide(range: RangeColumns, window: Window): RangeColumns {
  if (window.stepMs !== range.stepMs || (window.fromMs === range.startMs && window.toMs === range.endMs)) return range
  const shift = (window.fromMs - range.startMs) / range.stepMs
  const length = (window.toMs - window.fromMs) / range.stepMs
  const move = (slots: Slots): Slots => Array.from({ length }, (_, slot) => slots[slot + shift] ?? null)
  const tailStartMs = Math.max(range.tailStartMs, tailStart(window))
  return {
    ...range,
    startMs: window.fromMs,
    endMs: window.toMs,
    columns: range.columns.map((column) => ({
      ...column,
      min: move(column.min),
      max: move(column.max),
      avg: move(column.avg),
      sum: move(column.sum),
      count: move(column.count),
    })),
    tailStartMs,
    tail: new Map([...range.tail].filter(([at]) => at >= tailStartMs)),
  }
}

/** First slot that is not final, or the number of slots when all are. */
export function provisionalSlot(
  range: Pick<RangeColumns, 'startMs' | 'endMs' | 'stepMs' | 'completeThroughMs'>,
): number {
  const length = (range.endMs - range.startMs) / range.stepMs
  return Math.min(length, Math.max(0, Math.floor((range.completeThroughMs - range.startMs) / range.stepMs)))
}

export function cellAt(column: Column, slot: number): Cell | undefined {
  const avg = column.avg[slot]
  if (avg === null || avg === undefined) return undefined
  return {
    min: column.min[slot] ?? avg,
    max: column.max[slot] ?? avg,
    avg,
    sum: column.sum[slot] ?? avg,
    count: column.count[slot] ?? 1,
  }
}

/** Several minutes as one. */
export function fold(cells: readonly Cell[]): Cell {
  let [min, max, sum, count] = [Infinity, -Infinity, 0, 0]
  for (const cell of cells) {
    min = Math.min(min, cell.min)
    max = Math.max(max, cell.max)
    sum += cell.sum
    count += cell.count
  }
  return { min, max, avg: sum / count, sum, count }
}

export function columnOf(series: SeriesColumns, length: number): Column {
  const empty: Slots = Array.from({ length }, () => null)
  return {
    key: seriesKey(series),
    metricId: series.metricId,
    labels: series.labels,
    min: series.min ?? empty,
    max: series.max ?? empty,
    avg: series.avg ?? empty,
    sum: series.sum ?? empty,
    count: series.count ?? empty,
  }
}

function withCell(column: Column, slot: number, cell: Cell): Column {
  return {
    ...column,
    min: column.min.with(slot, cell.min),
    max: column.max.with(slot, cell.max),
    avg: column.avg.with(slot, cell.avg),
    sum: column.sum.with(slot, cell.sum),
    count: column.count.with(slot, cell.count),
  }
}
