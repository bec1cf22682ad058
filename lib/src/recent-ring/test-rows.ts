/** For tests: rows of a ring written as a list, and readings as a list. */
import type { RingIdentity, RingQuestion, RingReading, RingRows } from './recent-ring.ts'

export interface TestState {
  readonly seriesId: number
  readonly tag?: number
  /** Minutes since the epoch. */
  readonly minute: number
  readonly seen: bigint
}

/** Values that follow from seen, so that a wrong one shows. */
export function valuesOf(seen: bigint): { min: number; max: number; sum: number } {
  return { min: -Number(seen % 1_000n), max: Number(seen % 1_013n) + 0.5, sum: Number(seen % 99_991n) / 3 }
}

export function testRows(states: readonly TestState[]): RingRows {
  return {
    count: states.length,
    seriesIds: Int32Array.from(states, ({ seriesId }) => seriesId),
    tags: Uint32Array.from(states, ({ tag = 7 }) => tag),
    minutes: Uint32Array.from(states, ({ minute }) => minute),
    seenLow: Uint32Array.from(states, ({ seen }) => Number(seen & 0xffff_ffffn)),
    seenHigh: Uint32Array.from(states, ({ seen }) => Number(seen >> 32n)),
    min: Float64Array.from(states, ({ seen }) => valuesOf(seen).min),
    max: Float64Array.from(states, ({ seen }) => valuesOf(seen).max),
    sum: Float64Array.from(states, ({ seen }) => valuesOf(seen).sum),
  }
}

export function testQuestion(
  seriesIds: readonly number[],
  minutes: { from: number; to: number },
  identity: RingIdentity,
): RingQuestion {
  return {
    series: seriesIds.map((seriesId) => ({ seriesId, tag: 7 })),
    fromMs: minutes.from * 60_000,
    toMs: minutes.to * 60_000,
    identity: async () => identity,
  }
}

/** `<row> <minute>` -> seen, of what is covered. @throws when a value does not belong to its seen. */
export function coveredOf(reading: RingReading | undefined): Map<string, bigint> {
  const covered = new Map<string, bigint>()
  if (reading === undefined) return covered
  for (const [slot, flag] of reading.covered.entries()) {
    if (flag !== 1) continue
    const seen = BigInt(reading.seenLow[slot] as number) | (BigInt(reading.seenHigh[slot] as number) << 32n)
    const { min, max, sum } = valuesOf(seen)
    if (reading.min[slot] !== min || reading.max[slot] !== max || reading.sum[slot] !== sum) {
      throw new Error(`slot ${slot}: the values are not those of seen ${seen}`)
    }
    const minute = reading.fromMs / 60_000 + (slot % reading.minuteCount)
    covered.set(`${Math.floor(slot / reading.minuteCount)} ${minute}`, seen)
  }
  if (covered.size !== reading.coveredCount)
    throw new Error(`coveredCount is ${reading.coveredCount}, not ${covered.size}`)
  return covered
}
