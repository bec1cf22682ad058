/**
 * Which minutes an hour block has, and which seconds each of them saw: nothing when all of it is whole. Layout: docs/formats.md,
 * "presence" and "seen".
 */
import assert from 'node:assert/strict'
import type { BlockReader, BlockWriter } from './block-bytes.ts'
import { presencePattern, presenceWhole, seenAlike, seenEach, seenMostlyAlike, seenWhole } from './hour-block-format.ts'
import type { MinuteColumns } from './minute-columns.ts'
import { isSame, type PatternReader, patternBytes, type Sixty, wholeSixty, writePattern } from './sixty-pattern.ts'

export interface SectionPlan {
  readonly mode: number
  readonly size: number
  write(writer: BlockWriter): void
}

/** @param present at least one minute. */
export function planPresence(present: Sixty): SectionPlan {
  if (isSame(present, wholeSixty)) return { mode: presenceWhole, size: 0, write: () => {} }
  return { mode: presencePattern, size: patternBytes(present), write: (writer) => writePattern(writer, present) }
}

/** @param seen of each minute that is present, in ascending order; none is empty. */
export function planSeen(seen: readonly Sixty[]): SectionPlan {
  const usual = mostFrequent(seen)
  const others = seen.flatMap((set, index) => (isSame(set, usual) ? [] : [{ index, set }]))
  if (others.length === 0) {
    if (isSame(usual, wholeSixty)) return { mode: seenWhole, size: 0, write: () => {} }
    return { mode: seenAlike, size: patternBytes(usual), write: (writer) => writePattern(writer, usual) }
  }
  const mostly: SectionPlan = {
    mode: seenMostlyAlike,
    size: patternBytes(usual) + 1 + others.reduce((bytes, { set }) => bytes + 1 + patternBytes(set), 0),
    write: (writer) => {
      writePattern(writer, usual)
      writer.byte(others.length)
      for (const { index, set } of others) {
        writer.byte(index)
        writePattern(writer, set)
      }
    },
  }
  const each: SectionPlan = {
    mode: seenEach,
    size: seen.reduce((bytes, set) => bytes + patternBytes(set), 0),
    write: (writer) => {
      for (const set of seen) writePattern(writer, set)
    },
  }
  return each.size < mostly.size ? each : mostly
}

function mostFrequent(seen: readonly Sixty[]): Sixty {
  const first = seen[0]
  if (first !== undefined && seen.every((set) => isSame(set, first))) return first
  const counts = new Map<string, { set: Sixty; count: number }>()
  for (const set of seen) {
    const key = `${set.low} ${set.high}`
    const counted = counts.get(key)
    if (counted === undefined) counts.set(key, { set, count: 1 })
    else counted.count++
  }
  let best: { set: Sixty; count: number } | undefined
  for (const counted of counts.values()) if (best === undefined || counted.count > best.count) best = counted
  assert(best !== undefined, 'BUG: an hour block without minutes')
  return best.set
}

/** Leaves which minutes there are in `pattern`. */
export function readPresence(reader: BlockReader, mode: number, pattern: PatternReader): void {
  if (mode === presenceWhole) pattern.setWhole()
  else if (mode === presencePattern) pattern.read(reader)
  else reader.refuse(`presence of kind ${mode}`)
}

export interface SeenTarget {
  readonly columns: Pick<MinuteColumns, 'seenLow' | 'seenHigh'>
  /** Slot of the first minute; there is room for `count`. */
  readonly at: number
  readonly count: number
}

/** @param tools the reader, and what it reads patterns with. */
export function readSeen(
  mode: number,
  { columns: { seenLow, seenHigh }, at, count }: SeenTarget,
  { reader, pattern }: { readonly reader: BlockReader; readonly pattern: PatternReader },
): void {
  if (mode === seenEach) {
    for (let slot = at; slot < at + count; slot++) {
      pattern.read(reader)
      seenLow[slot] = pattern.low
      seenHigh[slot] = pattern.high
    }
    return
  }
  if (mode === seenWhole) pattern.setWhole()
  else pattern.read(reader)
  seenLow.fill(pattern.low, at, at + count)
  seenHigh.fill(pattern.high, at, at + count)
  if (mode !== seenMostlyAlike) return
  const otherCount = reader.byte()
  for (let other = 0, before = -1; other < otherCount; other++) {
    const index = reader.byte()
    if (index <= before || index >= count) reader.refuse(`minute ${index} of ${count} is told apart after ${before}`)
    pattern.read(reader)
    seenLow[at + index] = pattern.low
    seenHigh[at + index] = pattern.high
    before = index
  }
}
