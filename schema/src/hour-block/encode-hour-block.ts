/**
 * One series' hour in as few bytes as we know how to, losslessly: up to 60 minutes, each with the seconds it saw, min, max and sum.
 * What is read again (decode-hour-block.ts) is the same bit for bit, whatever the doubles are. Layout: docs/formats.md, "hour
 * block"; why it is like this: docs/decisions/0017-hour-blocks.md. Equal minutes give equal bytes.
 *
 *    version | flags | scale | presence | seen | min | max | sum | odd minutes
 */
import assert from 'node:assert/strict'
import { BlockWriter } from './block-bytes.ts'
import { hourBlockVersion, seenShift, sumFormShift } from './hour-block-format.ts'
import { assertHourFits, bitCount, type MinuteColumns, minutesPerHour, secondsPerHalf } from './minute-columns.ts'
import { ColumnPlanner } from './plan-column.ts'
import { type HourRows, planValues } from './plan-values.ts'
import { planPresence, planSeen } from './seen-section.ts'
import type { Sixty } from './sixty-pattern.ts'
import { writeColumn } from './write-column.ts'

/** Version, flags, scale. */
const headBytes = 3

/** Made once for many hours. */
export class HourBlockEncoder {
  readonly #planner = new ColumnPlanner()

  /** The 60 minutes from slot `at` on; at least one has a sample. */
  encode(columns: MinuteColumns, at: number): Buffer {
    assertHourFits(columns, at)
    const { rows, present, seen } = gather(columns, at)
    const presence = planPresence(present)
    const seconds = planSeen(seen)
    const values = planValues(rows, this.#planner)
    const writer = new BlockWriter(headBytes + presence.size + seconds.size + values.size)
    writer.byte(hourBlockVersion)
    writer.byte(presence.mode | (seconds.mode << seenShift) | values.flags)
    writer.byte(values.digits | (values.sumForm << sumFormShift))
    presence.write(writer)
    seconds.write(writer)
    for (const column of values.columns) writeColumn(writer, column)
    if (values.odd.length > 0) writeOdd(writer, values.odd, rows)
    assert(writer.isFull, 'BUG: an hour block is smaller than was planned')
    return writer.bytes
  }
}

/** The minutes that are no decimals among many that are. */
function writeOdd(writer: BlockWriter, odd: readonly number[], rows: HourRows): void {
  writer.byte(odd.length)
  for (const row of odd) {
    writer.byte(rows.minutes[row] as number)
    for (const column of [rows.min, rows.max, rows.sum]) writer.double(column[row] as number)
  }
}

function gather(columns: MinuteColumns, at: number): { rows: HourRows; present: Sixty; seen: Sixty[] } {
  const seen: Sixty[] = []
  const minutes: number[] = []
  for (let minute = 0; minute < minutesPerHour; minute++) {
    const [low, high] = [columns.seenLow[at + minute] as number, columns.seenHigh[at + minute] as number]
    if (low === 0 && high === 0) continue
    assert((low | high) >>> secondsPerHalf === 0, `BUG: minute ${minute} has seen seconds past its half of 30`)
    minutes.push(minute)
    seen.push({ low, high })
  }
  const count = minutes.length
  assert(count > 0, 'BUG: an hour block without minutes')
  const rows = {
    minutes: new Uint8Array(minutes),
    counts: new Uint8Array(count),
    min: new Float64Array(count),
    max: new Float64Array(count),
    sum: new Float64Array(count),
  }
  let [low, high] = [0, 0]
  for (let row = 0; row < count; row++) {
    const minute = minutes[row] as number
    const set = seen[row] as Sixty
    if (minute < secondsPerHalf) low |= 1 << minute
    else high |= 1 << (minute - secondsPerHalf)
    rows.counts[row] = bitCount(set.low) + bitCount(set.high)
    rows.min[row] = columns.min[at + minute] as number
    rows.max[row] = columns.max[at + minute] as number
    rows.sum[row] = columns.sum[at + minute] as number
  }
  return { rows, present: { low, high }, seen }
}
