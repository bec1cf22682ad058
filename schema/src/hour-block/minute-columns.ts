/**
 * The minutes of one series as columns: what an hour block is made of and read into. A slot holds one minute; its seen is two
 * halves of 30 bits (docs/formats.md, "minute.seen"). A minute without a sample is absent: seen, min, max and sum are 0.
 */
export interface MinuteColumns {
  /** Bit s: second s was seen, s in [0, 30). */
  readonly seenLow: Int32Array
  /** Bit s - 30: second s was seen, s in [30, 60). */
  readonly seenHigh: Int32Array
  readonly min: Float64Array
  readonly max: Float64Array
  readonly sum: Float64Array
}

export const minutesPerHour = 60
export const secondsPerHalf = 30
/** All 30 bits of a half. */
export const wholeHalf = 2 ** secondsPerHalf - 1

export function createMinuteColumns(slots: number): MinuteColumns {
  return {
    seenLow: new Int32Array(slots),
    seenHigh: new Int32Array(slots),
    min: new Float64Array(slots),
    max: new Float64Array(slots),
    sum: new Float64Array(slots),
  }
}

/** @throws RangeError unless all columns hold an hour from this slot on: what is written there is then within them. */
export function assertHourFits(columns: MinuteColumns, at: number): void {
  const { seenLow, seenHigh, min, max, sum } = columns
  const slots = Math.min(seenLow.length, seenHigh.length, min.length, max.length, sum.length)
  if (Number.isInteger(at) && at >= 0 && at + minutesPerHour <= slots) return
  throw new RangeError(`BUG: no ${minutesPerHour} minutes fit from slot ${at} on, there are ${slots} slots`)
}

/** Number of bits set in a half. */
export function bitCount(bits: number): number {
  let rest = bits - ((bits >>> 1) & 0x55555555)
  rest = (rest & 0x33333333) + ((rest >>> 2) & 0x33333333)
  return (((rest + (rest >>> 4)) & 0x0f0f0f0f) * 0x01010101) >>> 24
}
