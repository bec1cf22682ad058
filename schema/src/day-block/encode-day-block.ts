/**
 * One series' day in few bytes, losslessly: up to 24 hours, each with its number of samples, min, max and sum. What is read again
 * (decode-day-block.ts) is the same bit for bit. Made of the parts of an hour block (../hour-block/), with hours in the place of minutes.
 * Layout: docs/formats.md, "day block". Equal hours give equal bytes.
 *
 *    version | presence | flags | scale | count | min | max | sum | odd hours
 */
import assert from 'node:assert/strict'
import { BlockWriter } from '../hour-block/block-bytes.ts'
import { sumFormShift } from '../hour-block/hour-block-format.ts'
import { ColumnPlanner } from '../hour-block/plan-column.ts'
import { type HourRows, planValues } from '../hour-block/plan-values.ts'
import { writeColumn } from '../hour-block/write-column.ts'
import { type HourColumns, hoursPerDay, samplesPerHourMax } from './hour-columns.ts'

export const dayBlockVersion = 1
/** Version, presence (3), flags, scale. */
const headBytes = 6

/** Made once for many days. */
export class DayBlockEncoder {
  readonly #planner = new ColumnPlanner()

  /** At least one hour has a sample. */
  encode(columns: HourColumns): Buffer {
    const rows = gather(columns)
    const counts = this.#planner.plan(Float64Array.from(rows.counts))
    const values = planValues(rows, this.#planner)
    assert(counts !== undefined, 'BUG: numbers of samples can always be planned')
    const writer = new BlockWriter(headBytes + counts.size + values.size)
    writer.byte(dayBlockVersion)
    const presence = rows.minutes.reduce((bits, hour) => bits | (1 << hour), 0)
    for (let bit = 0; bit < hoursPerDay; bit += 8) writer.byte((presence >>> bit) & 0xff)
    writer.byte(values.flags)
    writer.byte(values.digits | (values.sumForm << sumFormShift))
    for (const column of [counts, ...values.columns]) writeColumn(writer, column)
    if (values.odd.length > 0) writeOdd(writer, values.odd, rows)
    assert(writer.isFull, 'BUG: a day block is smaller than was planned')
    return writer.bytes
  }
}

function writeOdd(writer: BlockWriter, odd: readonly number[], rows: HourRows): void {
  writer.byte(odd.length)
  for (const row of odd) {
    writer.byte(rows.minutes[row] as number)
    for (const column of [rows.min, rows.max, rows.sum]) writer.double(column[row] as number)
  }
}

function gather({ count, min, max, sum }: HourColumns): HourRows {
  const hours = Array.from({ length: hoursPerDay }, (_, hour) => hour).filter((hour) => (count[hour] as number) > 0)
  assert(hours.length > 0, 'BUG: a day block without hours')
  assert(
    hours.every((hour) => (count[hour] as number) <= samplesPerHourMax),
    `BUG: an hour of more than ${samplesPerHourMax} samples`,
  )
  const of = (column: Float64Array): Float64Array<ArrayBuffer> =>
    Float64Array.from(hours, (hour) => column[hour] as number)
  return {
    minutes: new Uint8Array(hours),
    counts: Uint16Array.from(hours, (hour) => count[hour] as number),
    min: of(min),
    max: of(max),
    sum: of(sum),
  }
}
