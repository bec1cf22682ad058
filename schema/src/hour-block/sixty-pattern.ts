/**
 * A set of the 60 minutes of an hour or the 60 seconds of a minute, in the bytes that what hosts do deserves: start, stop, a gap, a
 * sample every n seconds take two, any other set eight. Layout: docs/formats.md, "pattern". A set is two halves of 30 bits.
 *
 *   kind << 6 | a, b     kind 0: a to b   1: all but a to b   2: a, a + b, a + 2b, ...
 *   11 00, 60 bits       kind 3, most significant first
 */
import type { BlockReader, BlockWriter } from './block-bytes.ts'
import {
  patternArgumentMask,
  patternBits,
  patternGap,
  patternKindShift,
  patternRun,
  patternStride,
} from './hour-block-format.ts'
import { secondsPerHalf, wholeHalf } from './minute-columns.ts'

export interface Sixty {
  readonly low: number
  readonly high: number
}

export const wholeSixty: Sixty = { low: wholeHalf, high: wholeHalf }
const members = 60
export const isSame = (a: Sixty, b: Sixty): boolean => a.low === b.low && a.high === b.high

/** @param set not empty. */
export function writePattern(writer: BlockWriter, set: Sixty): void {
  const { kind, a, b } = shapeOf(set)
  if (kind === patternBits) {
    writer.word((patternBits << 30) | (set.high >>> 2))
    writer.word(((set.high & 3) << 30) | set.low)
    return
  }
  writer.byte((kind << patternKindShift) | a)
  writer.byte(b)
}

export const patternBytes = (set: Sixty): number => (shapeOf(set).kind === patternBits ? 8 : 2)

/** Reads one set after another into itself, so that reading makes no garbage. */
export class PatternReader implements Sixty {
  low = 0
  high = 0

  setWhole(): void {
    this.low = wholeHalf
    this.high = wholeHalf
  }

  /** @throws HourBlockError, also for a set that is empty. */
  read(reader: BlockReader): void {
    const head = reader.byte()
    const kind = head >>> patternKindShift
    const a = head & patternArgumentMask
    const b = reader.byte()
    if (kind === patternBits) this.#readBits(reader, (a << 8) | b)
    else if (kind === patternStride) this.#setStride(reader, a, b)
    else {
      if (a > b || b >= members) reader.refuse(`a run of a pattern is from ${a} to ${b}`)
      this.low = runHalf(a, Math.min(b, secondsPerHalf - 1))
      this.high = runHalf(Math.max(a - secondsPerHalf, 0), b - secondsPerHalf)
      if (kind === patternGap) {
        this.low ^= wholeHalf
        this.high ^= wholeHalf
      }
    }
    if ((this.low | this.high) === 0) reader.refuse('a pattern is empty')
  }

  /** @param top the 14 bits that were read: two zeros, then members 59 to 48. */
  #readBits(reader: BlockReader, top: number): void {
    if (top >= 2 ** 12) reader.refuse('a pattern has more than 60 bits')
    const upper = (top << 16) | (reader.byte() << 8) | reader.byte()
    const lower = reader.word()
    this.high = (upper << 2) | (lower >>> 30)
    this.low = lower & wholeHalf
  }

  #setStride(reader: BlockReader, a: number, b: number): void {
    if (a >= members || b === 0) reader.refuse(`a pattern is every ${b} from ${a} on`)
    this.low = 0
    this.high = 0
    for (let member = a; member < members; member += b) {
      if (member < secondsPerHalf) this.low |= 1 << member
      else this.high |= 1 << (member - secondsPerHalf)
    }
  }
}

function shapeOf(set: Sixty): { kind: number; a: number; b: number } {
  const run = endsOf(set)
  if (isSame(set, runOf(run))) return { kind: patternRun, ...run }
  const gap = endsOf({ low: set.low ^ wholeHalf, high: set.high ^ wholeHalf })
  const beside = runOf(gap)
  if (isSame(set, { low: beside.low ^ wholeHalf, high: beside.high ^ wholeHalf })) return { kind: patternGap, ...gap }
  const first = run.a
  const second = endsOf(without(set, first)).a
  const stride = { a: first, b: second - first }
  return isSame(set, strideOf(stride)) ? { kind: patternStride, ...stride } : { kind: patternBits, a: 0, b: 0 }
}

/** First and last member of a set that is not empty. */
export function endsOf({ low, high }: Sixty): { a: number; b: number } {
  return {
    a: low !== 0 ? lowest(low) : secondsPerHalf + lowest(high),
    b: high !== 0 ? 61 - Math.clz32(high) : 31 - Math.clz32(low),
  }
}

const lowest = (bits: number): number => 31 - Math.clz32(bits & -bits)

function runOf({ a, b }: { a: number; b: number }): Sixty {
  return {
    low: runHalf(a, Math.min(b, secondsPerHalf - 1)),
    high: runHalf(Math.max(a - secondsPerHalf, 0), b - secondsPerHalf),
  }
}

/** Bits `from` to `to` of a half; none when the run ends before it begins. */
const runHalf = (from: number, to: number): number => (from > to ? 0 : 2 ** (to + 1) - 2 ** from)

function strideOf({ a, b }: { a: number; b: number }): Sixty {
  let low = 0
  let high = 0
  for (let member = a; member < members; member += b) {
    if (member < secondsPerHalf) low |= 1 << member
    else high |= 1 << (member - secondsPerHalf)
  }
  return { low, high }
}

function without({ low, high }: Sixty, member: number): Sixty {
  return member < secondsPerHalf
    ? { low: low & ~(1 << member), high }
    : { low, high: high & ~(1 << (member - secondsPerHalf)) }
}
