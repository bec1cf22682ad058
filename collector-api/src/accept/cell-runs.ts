/**
 * Samples of one series at any seconds, in order of arrival -> rows on grids. Seconds are whole seconds since the epoch.
 *
 * The step is the greatest common divisor of the distances, so that a source that sends every 10 s gets a grid of 10 s.
 * A run ends where more than gapSlotsMax slots would stay empty: a section of its own costs about 100 bytes, as much
 * as a dozen empty slots, and a row's padding stays below 8 slots a sample.
 */
import { secondMs } from '@minutely/schema/limits'
import type { SeriesRef } from '@minutely/schema/series-identity'
import type { SectionBuilder } from './section-builder.ts'

const gapSlotsMax = 8
/** What a section's stepMs (an Avro int) and one's patience hold; a longer distance starts a new run anyway. */
const stepSecondsMax = 86_400

export class Cells {
  readonly seconds: number[] = []
  readonly values: number[] = []

  add(second: number, value: number): void {
    this.seconds.push(second)
    // -0 + 0 is 0: min and max must not depend on which zero came first.
    this.values.push(value + 0)
  }
}

export interface CellsOwner {
  readonly serverId: string
  readonly series: SeriesRef
  readonly order: number
}

/** The first value of a second wins. */
export function addCells(owner: CellsOwner, cells: Cells, builder: SectionBuilder): void {
  const { seconds, values } = firstOfEachSecond(cells)
  const stepSeconds = commonStep(seconds)
  for (let from = 0; from < seconds.length; ) {
    let to = from + 1
    while (to < seconds.length && at(seconds, to) - at(seconds, to - 1) <= gapSlotsMax * stepSeconds) to++
    const start = at(seconds, from)
    const slotCount = (at(seconds, to - 1) - start) / stepSeconds + 1
    // Single samples share a grid whatever the step of their series.
    const stepMs = (to - from === 1 ? 1 : stepSeconds) * secondMs
    const rows = builder.rowsOf(owner.serverId, { startMs: start * secondMs, stepMs, slotCount }, owner.order)
    const rowStart = rows.rowStart()
    rows.values.fill(Number.NaN, rowStart, rowStart + slotCount)
    for (let index = from; index < to; index++) {
      rows.values[rowStart + (at(seconds, index) - start) / stepSeconds] = at(values, index)
    }
    rows.keepRow(owner.series)
    from = to
  }
}

const at = (numbers: readonly number[], index: number): number => numbers[index] as number

function firstOfEachSecond(cells: Cells): Pick<Cells, 'seconds' | 'values'> {
  const { seconds, values } = cells
  let ascending = true
  for (let index = 1; index < seconds.length && ascending; index++) {
    ascending = at(seconds, index) > at(seconds, index - 1)
  }
  if (ascending) return cells
  // Stable: of equal seconds the first to arrive comes first.
  const order = Array.from(seconds.keys()).sort((a, b) => at(seconds, a) - at(seconds, b))
  const kept = order.filter(
    (cell, index) => index === 0 || at(seconds, cell) !== at(seconds, order[index - 1] as number),
  )
  return { seconds: kept.map((cell) => at(seconds, cell)), values: kept.map((cell) => at(values, cell)) }
}

function commonStep(seconds: readonly number[]): number {
  let step = 0
  for (let index = 1; index < seconds.length && step !== 1; index++) {
    let rest = at(seconds, index) - at(seconds, index - 1)
    while (rest !== 0) [step, rest] = [rest, step % rest]
  }
  return step === 0 || step > stepSecondsMax ? 1 : step
}
