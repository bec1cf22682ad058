/**
 * The two tiers of minutes in the simulated database, as lib/src/minute-tiers reads them: a hot row is the whole state of its minute and wins
 * over what a block has of it. Blocks are real ones (schema/src/hour-block), of spans of some minutes instead of an hour, so that a run
 * of minutes seals a few of them again and again. All of it at one instant: one snapshot.
 */

import { TierMerge } from '@minutely/lib/minute-tiers/tier-merge'
import { minutesPerHour } from '@minutely/schema/hour-block/minute-columns'
import { minuteMs } from '@minutely/schema/limits'
import type { StoredMinute } from '@minutely/schema/minute-block/minute-block'
import type { SimDatabase } from './sim-database.ts'
import { blockKey, blockPrefix, minuteKey, minutePrefix, numbersOf } from './sim-tables.ts'

/** What can be asked: the database, or a transaction. */
interface Source {
  get<T>(key: string): T | undefined
}

export interface Tiers {
  /** Of a span. */
  readonly spanMs: number
}

/** A block is read often and written once. */
const decoded = new WeakMap<Buffer, ReadonlyMap<number, StoredMinute>>()

/** What a block has, by slot. @throws UnreadableHourError */
export function minutesOf(block: Buffer): ReadonlyMap<number, StoredMinute> {
  const known = decoded.get(block)
  if (known !== undefined) return known
  const minutes = new Map<number, StoredMinute>()
  const merge = new TierMerge(
    { fromMinute: 0, toMinute: minutesPerHour },
    {
      minute: ({ minute, seenLow, seenHigh, min, max, sum }) =>
        minutes.set(minute, { ...halvesOf30(seenLow, seenHigh), min, max, sum }),
    },
  )
  merge.block({ seriesId: 0, hour: 0 }, block)
  merge.end()
  decoded.set(block, minutes)
  return minutes
}

export function halvesOf30(seenLow: number, seenHigh: number): { low: number; high: number } {
  return { low: seenLow & 0x3fffffff, high: ((seenHigh << 2) | (seenLow >>> 30)) & 0x3fffffff }
}

export function spanOf(atMs: number, { spanMs }: Tiers): number {
  return Math.floor(atMs / spanMs)
}

/** What blocks have of a minute. */
export function sealedMinute(
  source: Source,
  seriesId: number,
  at: Tiers & { readonly atMs: number },
): StoredMinute | undefined {
  const span = spanOf(at.atMs, at)
  const block = source.get<Buffer>(blockKey(seriesId, span))
  return block && minutesOf(block).get((at.atMs - span * at.spanMs) / minuteMs)
}

/** What is stored of a minute, in either tier. */
export function storedMinute(database: SimDatabase, seriesId: number, atMs: number): StoredMinute | undefined {
  const hot = database.get<StoredMinute>(minuteKey(seriesId, atMs))
  return hot ?? sealedMinute(database, seriesId, { atMs, ...database.tiers })
}

export interface FoundMinute {
  readonly seriesId: number
  readonly atMs: number
  readonly minute: StoredMinute
}

/** All that is stored. */
export function allMinutes(database: SimDatabase): FoundMinute[] {
  const found = database.entries<StoredMinute>(minutePrefix).map(([key, minute]): FoundMinute => {
    const [seriesId = 0, atMs = 0] = numbersOf(key, minutePrefix)
    return { seriesId, atMs, minute }
  })
  const { spanMs } = database.tiers
  for (const [key, block] of database.entries<Buffer>(blockPrefix)) {
    const [seriesId = 0, span = 0] = numbersOf(key, blockPrefix)
    for (const [slot, minute] of minutesOf(block)) {
      const atMs = span * spanMs + slot * minuteMs
      if (database.get(minuteKey(seriesId, atMs)) === undefined) found.push({ seriesId, atMs, minute })
    }
  }
  return found
}

/** Spans that have hot rows, oldest first. */
export function hotSpans(database: SimDatabase): number[] {
  const spans = new Set(database.entries(minutePrefix).map(([key]) => spanOfKey(key, database.tiers)))
  return [...spans].sort((a, b) => a - b)
}

/** Of a hot row. */
export function spanOfKey(key: string, tiers: Tiers): number {
  return spanOf(numbersOf(key, minutePrefix)[1] ?? 0, tiers)
}

/** Retention drops whole spans, so that all of one may be gone. */
export function isForgotten({ tiers, seals }: SimDatabase, atMs: number): boolean {
  return (spanOf(atMs, tiers) + 1) * tiers.spanMs <= seals.droppedBeforeMs
}
