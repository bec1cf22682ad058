/**
 * One series with its values on a time grid, already known to be well formed -> a row of a section, or cells; and a verdict on
 * each value. Shared by JSON columns and by the Avro blocks in which not all is well.
 *
 * Whole-second steps become a row as they are; others (500 ms, 1.5 s) are taken value by value, second =
 * floor(ts / 1000). null and NaN (which JSON cannot say) = gap: neither accepted nor refused.
 */
import { minuteMs, secondMs, valueMax } from '@minutely/schema/limits'
import type { SeriesRef } from '@minutely/schema/series-identity'
import type { Acceptance } from './acceptance.ts'
import { addCells, Cells } from './cell-runs.ts'
import { slotsWithin, timeDetail, timeReason } from './judge-time.ts'
import { valueDetail, valueReason } from './judge-value.ts'
import type { SentPlace } from './rejections.ts'
import type { Grid } from './section-builder.ts'

/** Steps above a day are taken value by value: a section's stepMs is an Avro int. */
export const gridStepMsMax = 1_440 * minuteMs

/** startMs is an instant, stepMs a whole number >= 1. */
export interface SeriesOnGrid extends Grid {
  readonly serverId: string
  readonly series: SeriesRef
  /** Sections are folded in this order (section-builder.ts). */
  readonly order: number
  readonly place: SentPlace
  /** As sent: numbers, nulls, or anything; slotCount of them. */
  readonly values: ArrayLike<unknown>
}

interface SlotRange {
  readonly from: number
  readonly to: number
}

export function takeSeries(sent: SeriesOnGrid, acceptance: Acceptance): void {
  const { rejections, bounds } = acceptance
  const { from, to } = slotsWithin(sent, bounds)
  refuseTimes(sent, { from: 0, to: from }, acceptance)
  refuseTimes(sent, { from: to, to: sent.slotCount }, acceptance)
  const take = sent.stepMs % secondMs === 0 && sent.stepMs <= gridStepMsMax ? takeAsRow : takeAsCells
  const acceptedCount = take(sent, { from, to }, acceptance)
  acceptance.acceptedCount += acceptedCount
  if (acceptedCount === sampleCount(sent.values, from, to)) return
  for (let slot = from; slot < to; slot++) {
    const value = sent.values[slot]
    const reason = isGap(value) ? null : valueReason(value)
    if (reason === null) continue
    const place = { ...sent.place, slot }
    rejections.add(sent.series.metricId, reason, { count: 1, place, detail: () => valueDetail(value) })
  }
}

/** Returns how many values were taken; the others in the range are gaps or bad. */
function takeAsRow(sent: SeriesOnGrid, { from, to }: SlotRange, acceptance: Acceptance): number {
  if (from === to) return 0
  const { values, stepMs } = sent
  const startMs = Math.floor(sent.startMs / secondMs) * secondMs + from * stepMs
  const rows = acceptance.builder.rowsOf(sent.serverId, { startMs, stepMs, slotCount: to - from }, sent.order)
  let target = rows.rowStart()
  const matrix = rows.values
  let count = 0
  for (let slot = from; slot < to; slot++) {
    const value = values[slot]
    if (typeof value === 'number' && value <= valueMax && value >= -valueMax) {
      // -0 + 0 is 0: min and max must not depend on which zero came first.
      matrix[target++] = value + 0
      count++
    } else {
      matrix[target++] = Number.NaN
    }
  }
  if (count > 0) rows.keepRow(sent.series)
  return count
}

function takeAsCells(sent: SeriesOnGrid, { from, to }: SlotRange, acceptance: Acceptance): number {
  acceptance.builder.takeOffGrid(to - from)
  const cells = new Cells()
  for (let slot = from; slot < to; slot++) {
    const value = sent.values[slot]
    if (valueReason(value) !== null) continue
    cells.add(Math.floor((sent.startMs + slot * sent.stepMs) / secondMs), value as number)
  }
  addCells(sent, cells, acceptance.builder)
  return cells.seconds.length
}

function refuseTimes(sent: SeriesOnGrid, { from, to }: SlotRange, acceptance: Acceptance): void {
  let first = from
  while (first < to && isGap(sent.values[first])) first++
  if (first === to) return
  const { rejections, bounds } = acceptance
  const tsMs = sent.startMs + first * sent.stepMs
  // A product beyond 2^53 is inexact, and in the future all the same.
  const reason = timeReason(tsMs, bounds) === 'time-too-old' ? 'time-too-old' : 'time-in-future'
  const detail = () => timeDetail(Math.min(tsMs, Number.MAX_SAFE_INTEGER), bounds)
  const place = { ...sent.place, slot: first }
  rejections.add(sent.series.metricId, reason, { count: sampleCount(sent.values, from, to), place, detail })
}

/** What is no gap. */
export function sampleCount(values: ArrayLike<unknown>, from: number, to: number): number {
  let count = 0
  for (let slot = from; slot < to; slot++) if (!isGap(values[slot])) count++
  return count
}

function isGap(value: unknown): boolean {
  return value === null || Number.isNaN(value)
}
