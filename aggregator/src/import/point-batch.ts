/**
 * The points of one stretch of a file, by series, until they are stored: what the memory of an import is spent on. Judges the time and
 * the value of each point; what is refused is counted here. `settle` gives the parts in which it is stored.
 *
 * The parts, and their order, follow from the file, the stretch and the bounds of time alone, so that an import that was interrupted
 * in the middle of a batch finds them again: days in ascending order, and of each the series in the order of their first points.
 */
import { secondMs, valueMax } from '@minutely/schema/limits'
import { HourPoints, secondsPerHour } from './hour-points.ts'
import { createTotals, type ImportTotals, type RefusalReason, refuse } from './import-counts.ts'
import type { ImportSeries } from './import-series.ts'
import { PointRuns } from './point-runs.ts'

export const hoursPerDay = 24
const secondsPerDay = hoursPerDay * secondsPerHour
/** Series in one part: a day of them is stored in some tenths of a second, during which their hours are locked. */
export const seriesPerPart = 500

export interface TimeBounds {
  /** Older points would be dropped by retention. A whole hour. */
  readonly fromMs: number
  /** Later ones are in the future. */
  readonly throughMs: number
}

/** Whose points they are, and where they stand. */
export interface PointPlace {
  readonly series: ImportSeries
  readonly where: () => string
}

/** What one transaction stores. */
export interface BatchPart {
  /** Days since 1970. */
  readonly day: number
  /** Index of its first series, in the order of the batch. */
  readonly firstSeries: number
  readonly series: readonly SeriesDay[]
}

export interface SeriesDay {
  /** In the order of the batch. */
  readonly index: number
  readonly entry: ImportSeries
  readonly runs: PointRuns
  readonly from: number
  readonly to: number
}

export class PointBatch {
  readonly bounds: TimeBounds
  readonly totals: ImportTotals = createTotals()
  readonly #entries: ImportSeries[] = []
  #bytes = 0

  constructor(bounds: TimeBounds) {
    this.bounds = bounds
  }

  get bytes(): number {
    return this.#bytes
  }

  /** Those that have points. */
  get entries(): readonly ImportSeries[] {
    return this.#entries
  }

  /** NaN is a gap. `times`: ms since the epoch; both have at least `count`. */
  addAll(times: Float64Array, values: Float64Array, count: number, place: PointPlace): void {
    const { fromMs, throughMs } = this.bounds
    const runs = this.#runsOf(place.series)
    const before = runs.count
    for (let index = 0; index < count; index++) {
      const [timeMs, value] = [times[index] as number, values[index] as number]
      if (timeMs >= fromMs && timeMs <= throughMs && value >= -valueMax && value <= valueMax) {
        this.#bytes += runs.add(Math.floor(timeMs / secondMs), value)
      } else if (!Number.isNaN(value)) this.#refuse(timeMs, value, place)
    }
    this.totals.read += runs.count - before
  }

  add(timeMs: number, value: number, place: PointPlace): void {
    const { fromMs, throughMs } = this.bounds
    if (timeMs >= fromMs && timeMs <= throughMs && value >= -valueMax && value <= valueMax) {
      this.#bytes += this.#runsOf(place.series).add(Math.floor(timeMs / secondMs), value)
      this.totals.read++
    } else this.#refuse(timeMs, value, place)
  }

  refuse(reason: RefusalReason, detail: string, about: { count: number; where: string }): void {
    refuse(this.totals, { reason, detail }, about)
  }

  #refuse(timeMs: number, value: number, { where }: PointPlace): void {
    const [reason, detail] = this.#reason(timeMs, value)
    this.refuse(reason, detail, { count: 1, where: where() })
  }

  #reason(timeMs: number, value: number): [RefusalReason, string] {
    if (Number.isNaN(value)) return ['value-not-a-number', 'a value must be a number']
    if (!Number.isFinite(value)) return ['value-not-finite', `a value must be finite, not ${value}`]
    if (Math.abs(value) > valueMax) return ['value-too-large', `${value} is beyond ${valueMax}`]
    if (!Number.isFinite(timeMs)) return ['time-invalid', 'a time must be ms since the epoch']
    const at = Math.abs(timeMs) < 8.64e15 ? new Date(timeMs).toISOString() : String(timeMs)
    const { fromMs, throughMs } = this.bounds
    if (timeMs > throughMs) return ['time-in-future', `${at} is after ${new Date(throughMs).toISOString()}`]
    return ['time-too-old', `${at} is before ${new Date(fromMs).toISOString()}, where retention drops minutes`]
  }

  #runsOf(series: ImportSeries): PointRuns {
    if (series.runs !== undefined) return series.runs
    series.runs = new PointRuns()
    this.#bytes += series.runs.bytes
    this.#entries.push(series)
    return series.runs
  }

  /** Sorted; what was there twice is counted. Nothing may be added after it. */
  settle(): BatchPart[] {
    const days = new Map<number, SeriesDay[]>()
    for (const [index, entry] of this.#entries.entries()) {
      const { runs } = entry
      if (runs === undefined || runs.count === 0) continue
      runs.settle(this.totals)
      for (let from = 0; from < runs.count; ) {
        const day = Math.floor((runs.seconds[from] as number) / secondsPerDay)
        const to = runs.indexOf((day + 1) * secondsPerDay, from)
        const list = days.get(day) ?? []
        days.set(day, list)
        list.push({ index, entry, runs, from, to })
        from = to
      }
    }
    return [...days]
      .sort(([a], [b]) => a - b)
      .flatMap(([day, list]) => {
        const chunks = Map.groupBy(list, ({ index }) => Math.floor(index / seriesPerPart))
        return [...chunks].map(([chunk, series]) => ({ day, firstSeries: chunk * seriesPerPart, series }))
      })
  }

  /** Lets go of the points; the series stay. */
  release(): void {
    for (const entry of this.#entries) entry.runs = undefined
    this.#entries.length = 0
    this.#bytes = 0
  }
}

/** By hours since 1970, in ascending order. */
export function hoursOf({ runs, from, to }: Pick<SeriesDay, 'runs' | 'from' | 'to'>): Map<number, HourPoints> {
  const hours = new Map<number, HourPoints>()
  for (let first = from; first < to; ) {
    const hour = Math.floor((runs.seconds[first] as number) / secondsPerHour)
    const end = Math.min(to, runs.indexOf((hour + 1) * secondsPerHour, first))
    hours.set(hour, new HourPoints(runs, { from: first, to: end }, hour))
    first = end
  }
  return hours
}
