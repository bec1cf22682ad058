/**
 * Hours of one series, made from a seed, for tests and benchmarks of hour blocks: the kinds of values that hosts have, one sample a second,
 * rolled up as the aggregator does it. `fleetMix` are the five kinds, in equal parts, by which sizes are judged.
 */
import { sumRow } from '../decimal-sum.ts'
import { createMinuteColumns, type MinuteColumns, minutesPerHour, secondsPerHalf } from './minute-columns.ts'

const secondsPerMinute = 60

/** Value of a second; `base` is a number of the series. */
type Kind = (base: number, second: number) => number

export const fleetMix = {
  constant: (base) => base % 1_000,
  rate: (base, second) => 500 + (mixed(base ^ second) % 2_000),
  gauge: (base, second) => (5_000 + (base % 3_000) + (mixed(base ^ second) % 400)) / 100,
  memory: (base, second) => 4_096 * ((base % 1_000_000) + (mixed(base ^ (second >> 3)) % 64)),
  sparse: (base, second) => (mixed(base ^ second) % 100 < 3 ? mixed(second ^ base) % 10 : 0),
} as const satisfies Record<string, Kind>

export const otherKinds = {
  uptime: (base, second) => (base % 1_000_000) + second,
  share: (base, second) => Math.round((0.2 + 0.05 * normal(base, second)) * 1e4) / 1e4,
  spikes: (base, second) =>
    Math.round(50 + 10 * normal(base, second)) + (mixed(base ^ second) % 2_000 === 0 ? 9_000 + (second % 997) : 0),
  bytesPerS: (base, second) => Math.round(1e6 * Math.exp(0.8 * normal(base, second))),
  wave: (base, second) =>
    Math.round(4_000 + 3_000 * Math.sin((base + second) / 1_800) + 50 * normal(base, second)) / 100,
  constantFloat: (base) => Math.PI * (base % 1_000),
  float: (base, second) => 0.3 + 0.1 * normal(base, second),
  floatOf32Bits: (base, second) => Math.fround(0.3 + 0.1 * normal(base, second)),
} as const satisfies Record<string, Kind>

export const allKinds: Readonly<Record<string, Kind>> = { ...fleetMix, ...otherKinds }

/** One hour of a series; different seeds are different series. */
export function hourOf(kind: Kind, seed: number): MinuteColumns {
  const base = mixed(seed * 104_729 + 1)
  const columns = createMinuteColumns(minutesPerHour)
  for (let minute = 0; minute < minutesPerHour; minute++) {
    const values = Float64Array.from({ length: secondsPerMinute }, (_, second) =>
      kind(base, minute * secondsPerMinute + second),
    )
    putMinute(columns, minute, values)
  }
  return columns
}

/** Rolls up the samples of a minute; NaN where there is none. */
export function putMinute(columns: MinuteColumns, slot: number, values: Float64Array): void {
  let [low, high] = [0, 0]
  for (const [second, value] of values.entries()) {
    if (Number.isNaN(value)) continue
    if (second < secondsPerHalf) low |= 1 << second
    else high |= 1 << (second - secondsPerHalf)
  }
  const present = values.filter((value) => !Number.isNaN(value))
  if (present.length === 0) return
  columns.seenLow[slot] = low
  columns.seenHigh[slot] = high
  columns.min[slot] = Math.min(...present)
  columns.max[slot] = Math.max(...present)
  columns.sum[slot] = sumRow(values, 0, secondsPerMinute)
}

/** The bits of all columns from slot `at` on: what must come back. */
export function bitsOf(columns: MinuteColumns, at: number): string[] {
  const { seenLow, seenHigh, min, max, sum } = columns
  const view = new DataView(new ArrayBuffer(8))
  return Array.from({ length: minutesPerHour }, (_, minute) => {
    const slot = at + minute
    const bits = [min, max, sum].map((column) => {
      view.setFloat64(0, column[slot] as number)
      return view.getBigUint64(0).toString(16)
    })
    return [minute, seenLow[slot], seenHigh[slot], ...bits].join(' ')
  })
}

/** A 32-bit integer hash (the finaliser of MurmurHash3), as an unsigned number. */
export function mixed(value: number): number {
  let hash = value | 0
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return (hash ^ (hash >>> 16)) >>> 0
}

/** Normally distributed, by Box and Muller. */
function normal(base: number, second: number): number {
  const [a, b] = [mixed(base ^ (2 * second + 1)) / 2 ** 32, mixed(base ^ (2 * second + 700_000_000)) / 2 ** 32]
  return Math.sqrt(-2 * Math.log(a + 1e-12)) * Math.cos(2 * Math.PI * b)
}
