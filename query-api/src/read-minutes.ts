/**
 * The stored minutes of some series: from the ring what it covers, from Postgres the rest; a minute once. Without a ring
 * (AbsentRecentRing), or when it fails, all comes from Postgres, on the same path.
 *
 *          from              ring begins                              tail     to
 *   web-17  | Postgres .......... | ring ring ring ring ring ring ring | Postgres |
 *   web-18  | Postgres .......... | ring ring ... Postgres ... ring .. | Postgres |
 *
 * Postgres is asked at most twice: for the series that lack nothing but the tail, which is short (its minutes
 * are being closed, or gathered for the ring), and for the others from their first to their last minute that lacks. Series that lack nothing
 * are not asked for.
 *
 * Steps of whole hours need no minutes: whole hours come from Postgres' hour tier, added up already, and the ring is not asked. What an hour
 * is does not depend on where it comes from: its minutes are added up first (schema/src/day-block/roll-up-hour.ts), then hours.
 *
 * Where steps are longer than a minute, float sums depend on the order of adding; then each series' minutes come in
 * ascending order, whoever has them, so that answers are the same bytes with and without the ring.
 */

import type { RecentRing, RingReading, RingSeries } from '@minutely/lib/recent-ring/recent-ring'
import { minuteMs } from '@minutely/schema/limits'
import { type MinuteSink, popCount } from './minute-copy.ts'
import type { HourSink } from './sealed-hours.ts'
import type { StoreSession } from './store-session.ts'

export interface MinutesQuestion {
  readonly series: readonly RingSeries[]
  readonly fromMs: number
  /** Half-open. */
  readonly toMs: number
  readonly isOrdered: boolean
  /** Whole hours will do before this instant; an hour then comes with that of its first minute. Absent: minutes only. */
  readonly hoursBeforeMs?: number
  /** Takes hours as columns where they come as such. */
  readonly hours?: HourSink
}

export interface MinutesDeps {
  readonly session: StoreSession
  readonly ring: RecentRing
}

/** Longest end of a range for which a series counts as lacking the tail only: what is open or gathered (RING_GATHER_MINUTES). */
const tailMs = 15 * minuteMs

export async function readMinutes(question: MinutesQuestion, sink: MinuteSink, deps: MinutesDeps): Promise<void> {
  const { session, ring } = deps
  const { series, fromMs, toMs, isOrdered, hoursBeforeMs } = question
  if (hoursBeforeMs !== undefined) {
    const seriesIds = series.map(({ seriesId }) => seriesId)
    await session.readHourTier({ seriesIds, fromMs, toMs, minutesFromMs: hoursBeforeMs }, sink)
    return
  }
  const reading = await ring.read({ series, fromMs, toMs, identity: () => session.ringIdentity() })
  if (reading === undefined || reading.coveredCount === 0) {
    const query = { seriesIds: series.map(({ seriesId }) => seriesId), fromMs, toMs }
    const { hours } = question
    await (hours === undefined
      ? session.readMinutes(query, sink)
      : session.readStoredMinutes({ ...query, isOrdered, hours }, sink))
    return
  }
  for (const part of partsOf(question, reading)) {
    const merge = new RingMerge(part.rows, { series, reading, sink })
    if (!isOrdered) merge.finish()
    const seriesIds = part.rows.map((row) => (series[row] as RingSeries).seriesId)
    const query = { seriesIds, fromMs: part.fromMs, toMs: part.toMs }
    await session.readMinutes(query, (seriesId, atMs, values) => {
      const row = merge.rowOf(seriesId)
      if (isOrdered) merge.advance(row, atMs)
      if (!merge.has(row, atMs)) sink(seriesId, atMs, values)
    })
    merge.finish()
  }
}

interface Part {
  /** Rows of the question, in the order of their series ids. */
  readonly rows: number[]
  /** What to ask Postgres for; empty: nothing. */
  fromMs: number
  toMs: number
}

function partsOf({ series, fromMs, toMs }: MinutesQuestion, reading: RingReading): Part[] {
  const ringToMs = reading.fromMs + reading.minuteCount * minuteMs
  const emptyPart = (): Part => ({ rows: [], fromMs: Number.POSITIVE_INFINITY, toMs: Number.NEGATIVE_INFINITY })
  const [whole, tail, rest] = [emptyPart(), emptyPart(), emptyPart()]
  for (const row of series.keys()) {
    const covered = reading.covered.subarray(row * reading.minuteCount, (row + 1) * reading.minuteCount)
    const [first, last] = [covered.indexOf(0), covered.lastIndexOf(0)]
    const lacksFromMs = fromMs < reading.fromMs ? fromMs : first >= 0 ? reading.fromMs + first * minuteMs : ringToMs
    const lacksToMs = toMs > ringToMs ? toMs : last >= 0 ? reading.fromMs + (last + 1) * minuteMs : reading.fromMs
    const part = lacksFromMs >= lacksToMs ? whole : lacksFromMs >= toMs - tailMs ? tail : rest
    part.rows.push(row)
    if (part === whole) continue
    part.fromMs = Math.min(part.fromMs, lacksFromMs)
    part.toMs = Math.max(part.toMs, lacksToMs)
  }
  const idOf = (row: number): number => (series[row] as RingSeries).seriesId
  for (const part of [whole, tail, rest]) part.rows.sort((a, b) => idOf(a) - idOf(b))
  return [whole, tail, rest].filter(({ rows }) => rows.length > 0)
}

/** Gives out what the ring has, of some rows in the order of their series ids, up to where Postgres has come. */
class RingMerge {
  readonly #rows: readonly number[]
  readonly #source: { readonly series: readonly RingSeries[]; readonly reading: RingReading; readonly sink: MinuteSink }
  readonly #rowOfSeries: ReadonlyMap<number, number>
  readonly #values = { min: 0, max: 0, sum: 0, count: 0 }
  /** Of #rows; those before are given out. */
  #at = 0
  /** Of that row; those before are given out. */
  #minute = 0

  constructor(
    rows: readonly number[],
    source: { series: readonly RingSeries[]; reading: RingReading; sink: MinuteSink },
  ) {
    this.#rows = rows
    this.#source = source
    this.#rowOfSeries = new Map(rows.map((row) => [(source.series[row] as RingSeries).seriesId, row]))
  }

  rowOf(seriesId: number): number {
    return this.#rowOfSeries.get(seriesId) as number
  }

  has(row: number, atMs: number): boolean {
    const { reading } = this.#source
    const minute = (atMs - reading.fromMs) / minuteMs
    if (minute < 0 || minute >= reading.minuteCount) return false
    return reading.covered[row * reading.minuteCount + minute] === 1
  }

  /** Gives out what comes before this minute of this row. */
  advance(row: number, atMs: number): void {
    const { reading } = this.#source
    while (this.#rows[this.#at] !== row && this.#at < this.#rows.length) this.#finishRow()
    this.#giveUpTo(Math.min(reading.minuteCount, (atMs - reading.fromMs) / minuteMs))
  }

  /** Gives out what is left. */
  finish(): void {
    while (this.#at < this.#rows.length) this.#finishRow()
  }

  #finishRow(): void {
    this.#giveUpTo(this.#source.reading.minuteCount)
    this.#at++
    this.#minute = 0
  }

  #giveUpTo(end: number): void {
    const { reading, series, sink } = this.#source
    const row = this.#rows[this.#at] as number
    const { seriesId } = series[row] as RingSeries
    const values = this.#values
    for (; this.#minute < end; this.#minute++) {
      const slot = row * reading.minuteCount + this.#minute
      if (reading.covered[slot] !== 1) continue
      values.count = popCount(reading.seenLow[slot] as number) + popCount(reading.seenHigh[slot] as number)
      values.min = reading.min[slot] as number
      values.max = reading.max[slot] as number
      values.sum = reading.sum[slot] as number
      sink(seriesId, reading.fromMs + this.#minute * minuteMs, values)
    }
  }
}
