/**
 * How a column of whole numbers is written in the fewest bytes: relative to a base or as differences from number to number,
 * divided by what they have in common (page sizes), packed with the width that most of them need; the few that need more
 * stand apart as patches. All ways are measured, then one is written (write-column.ts). Layout: docs/formats.md, "column".
 *
 *   number = base + divisor x packed            plain
 *   number = before + base + divisor x packed   stepped; the first number stands for itself
 *
 * Numbers are whole and at most 2^53 - 1 in magnitude, and so is each intermediate result: else there is no plan.
 */
import { packedBytes, signedBytes, unsignedBytes } from './block-bytes.ts'
import { minutesPerHour } from './minute-columns.ts'

/** Numbers that may stand apart at either end of the range: more has hardly ever paid. */
const lowPatchesMax = 6
const highPatchesMax = 8
/** An index and a number. */
const patchBytesMin = 2

export interface ColumnPlan {
  /** Of the column, as it will be written. */
  readonly size: number
  readonly numbers: Float64Array
  /** Undefined: all numbers are 0. */
  readonly packing: Packing | undefined
}

export interface Packing {
  readonly size: number
  readonly isStepped: boolean
  readonly base: number
  readonly divisor: number
  readonly width: number
  readonly patchCount: number
}

/** The first of those with the least size. */
export function smallest<P extends { readonly size: number }>(...plans: readonly (P | undefined)[]): P | undefined {
  let best: P | undefined
  for (const plan of plans) if (plan !== undefined && (best === undefined || plan.size < best.size)) best = plan
  return best
}

/** Made once for many columns: what it works with is used again. */
export class ColumnPlanner {
  readonly #all = Array.from({ length: minutesPerHour + 1 }, (_, count) => new Float64Array(count))

  /** Undefined when a number is no such number, or two lie too far apart. */
  plan(numbers: Float64Array): ColumnPlan | undefined {
    let isZero = true
    for (let index = 0; index < numbers.length; index++) {
      const number = numbers[index] as number
      if (!Number.isSafeInteger(number)) return undefined
      if (number !== 0) isZero = false
    }
    if (isZero) return { size: 1, numbers, packing: undefined }
    const packing = smallest(this.#plain(numbers), this.#stepped(numbers))
    return packing && { size: packing.size, numbers, packing }
  }

  #plain(numbers: Float64Array): Packing | undefined {
    const sorted = this.#all[numbers.length] as Float64Array
    sorted.set(numbers)
    return planPacking(sorted, undefined)
  }

  #stepped(numbers: Float64Array): Packing | undefined {
    if (numbers.length === 1) return undefined
    const steps = this.#all[numbers.length - 1] as Float64Array
    for (let index = 1; index < numbers.length; index++) {
      const step = (numbers[index] as number) - (numbers[index - 1] as number)
      if (!Number.isSafeInteger(step)) return undefined
      steps[index - 1] = step
    }
    return planPacking(steps, numbers[0])
  }
}

/** @param values are sorted here. */
function planPacking(values: Float64Array, first: number | undefined): Packing | undefined {
  values.sort()
  const least = values[0] as number
  if (!Number.isSafeInteger((values[values.length - 1] as number) - least)) return undefined
  const divisor = commonDivisor(values)
  const { base, width, bodyBytes, patchCount } = cheapestRange(values, divisor)
  const size =
    (divisor > 1 || patchCount > 0 ? 2 : 1) +
    signedBytes(base) +
    (first === undefined ? 0 : signedBytes(first)) +
    (divisor > 1 ? unsignedBytes(divisor) : 0) +
    bodyBytes
  return { size, isStepped: first !== undefined, base, divisor, width, patchCount }
}

/** Of all differences; 1 when there are none. */
function commonDivisor(sorted: Float64Array): number {
  let divisor = 0
  for (let index = 1; index < sorted.length && divisor !== 1; index++) {
    let rest = (sorted[index] as number) - (sorted[0] as number)
    while (rest !== 0) {
      const before = divisor
      divisor = rest
      rest = before % rest
    }
  }
  return divisor === 0 ? 1 : divisor
}

interface Range {
  readonly base: number
  readonly width: number
  /** Packed numbers and patches. */
  readonly bodyBytes: number
  readonly patchCount: number
}

/** Which of the lowest and highest numbers to leave to patches. */
function cheapestRange(sorted: Float64Array, divisor: number): Range {
  const count = sorted.length
  let best: Range | undefined
  for (let low = 0; low <= lowPatchesMax; low++) {
    for (let high = 0; high <= highPatchesMax && low + high < count; high++) {
      const base = sorted[low] as number
      const width = bitLength(((sorted[count - 1 - high] as number) - base) / divisor)
      const bytes = packedBytes(count, width)
      if (best !== undefined && bytes + patchBytesMin * (low + high) >= best.bodyBytes) continue
      const { bodyBytes, patchCount } = withPatches(sorted, { base, divisor, width }, { low, high, bytes })
      if (best === undefined || bodyBytes < best.bodyBytes) best = { base, width, bodyBytes, patchCount }
    }
  }
  return best as Range
}

function withPatches(
  sorted: Float64Array,
  { base, divisor, width }: Pick<Packing, 'base' | 'divisor' | 'width'>,
  { low, high, bytes }: { low: number; high: number; bytes: number },
): { bodyBytes: number; patchCount: number } {
  const count = sorted.length
  let bodyBytes = bytes
  let patchCount = 0
  for (let index = 0; index < low + high; index++) {
    const value = ((sorted[index < low ? index : count - 1 - index + low] as number) - base) / divisor
    // The width may be enough for more numbers than it was chosen for.
    if (value >= 0 && value < 2 ** width) continue
    bodyBytes += 1 + signedBytes(value)
    patchCount++
  }
  return { bodyBytes, patchCount }
}

/** Of a whole number from 0 to 2^53 - 1. */
function bitLength(value: number): number {
  return value < 2 ** 32 ? 32 - Math.clz32(value) : 64 - Math.clz32(value / 2 ** 32)
}
