/**
 * Can a minute that was read have come from what was sent? Pure.
 *
 * The samples of a cell (15 s of one series) reach the log together or not at all, and a minute is a set: it must equal the
 * rollup of *some* set of its cells between those that must be in it and those that may be. There are 16 at most, so all are
 * tried, and compared exactly. When none fits, the message looks for what would explain it, down to the second.
 */
import { cellMs, cellsPerMinute } from '../load-plan.ts'

export interface FoundMinute {
  readonly min: number
  readonly max: number
  readonly sum: number
  readonly count: number
}

export interface MinuteCase {
  readonly minuteMs: number
  /** The 60 values that the series has in this minute, decimals of at most 2 digits. */
  readonly values: Float64Array
  /** Masks of cells: those acknowledged, and those ever sent. `must` is within `may`. */
  readonly must: number
  readonly may: number
  /** Undefined when the answer has no data there. */
  readonly found: FoundMinute | undefined
}

const slotsPerCell = cellMs / 1_000
const maskCount = 1 << cellsPerMinute

/** Null when it fits, else what is wrong, for a person. */
export function minuteProblem({ minuteMs, values, must, may, found }: MinuteCase): string | null {
  // Nearly always: all that was sent is there.
  if (isEqual(rollUp(values, may), found)) return null
  const matching = masksEqualTo(values, found)
  if (matching.some((mask) => (mask & must) === must && (mask & ~may) === 0)) return null
  const lost = matching.find((mask) => (mask & ~may) === 0)
  if (lost !== undefined) {
    const cell = lowestBit(must & ~lost)
    return `${secondAt(minuteMs, cell * slotsPerCell)}: acknowledged, but it and the ${slotsPerCell - 1} s after it are missing`
  }
  const invented = matching[0]
  if (invented !== undefined) {
    const cell = lowestBit(invented & ~may)
    return `${secondAt(minuteMs, cell * slotsPerCell)}: is in the minute, but was never sent`
  }
  return singleSecond({ minuteMs, values, must, found }) ?? describeDifference(rollUp(values, must), found)
}

function masksEqualTo(values: Float64Array, found: FoundMinute | undefined): number[] {
  const masks: number[] = []
  for (let mask = 0; mask < maskCount; mask++) if (isEqual(rollUp(values, mask), found)) masks.push(mask)
  return masks
}

/** One second too few or too often: the commonest mistakes. */
function singleSecond({ minuteMs, values, must, found }: Omit<MinuteCase, 'may'>): string | undefined {
  for (const [slot, value] of values.entries()) {
    if ((must & (1 << Math.floor(slot / slotsPerCell))) === 0) continue
    const others = values.map((each, index) => (index === slot ? Number.NaN : each))
    if (isEqual(rollUp(others, must), found)) return `${secondAt(minuteMs, slot)}: acknowledged, but missing`
    const whole = rollUp(values, must)
    const doubled = whole && { ...whole, sum: hundredths(whole.sum, value) / 100, count: whole.count + 1 }
    if (isEqual(doubled, found)) return `${secondAt(minuteMs, slot)}: counted twice`
  }
  return undefined
}

function describeDifference(expected: FoundMinute | undefined, found: FoundMinute | undefined): string {
  return `found ${describe(found)} instead of ${describe(expected)}, and no set of what was sent explains it`
}

function describe(minute: FoundMinute | undefined): string {
  if (minute === undefined) return 'nothing'
  return `count ${minute.count}, sum ${minute.sum}, min ${minute.min}, max ${minute.max}`
}

/** Undefined for nothing. NaN is a second without a value. */
function rollUp(values: Float64Array, mask: number): FoundMinute | undefined {
  let [min, max, sum, count] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 0, 0]
  for (const [slot, value] of values.entries()) {
    if ((mask & (1 << Math.floor(slot / slotsPerCell))) === 0 || Number.isNaN(value)) continue
    if (value < min) min = value
    if (value > max) max = value
    sum += Math.round(value * 100)
    count++
  }
  return count === 0 ? undefined : { min, max, sum: sum / 100, count }
}

function isEqual(expected: FoundMinute | undefined, found: FoundMinute | undefined): boolean {
  if (expected === undefined || found === undefined) return expected === found
  const { min, max, sum, count } = expected
  return min === found.min && max === found.max && sum === found.sum && count === found.count
}

const hundredths = (sum: number, value: number): number => Math.round(sum * 100) + Math.round(value * 100)

function lowestBit(mask: number): number {
  return 31 - Math.clz32(mask & -mask)
}

function secondAt(minuteMs: number, slot: number): string {
  return new Date(minuteMs + slot * 1_000).toISOString().replace('.000Z', 'Z')
}
