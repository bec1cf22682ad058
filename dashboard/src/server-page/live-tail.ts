/**
 * What live events told about one server beyond the cached ranges: the newest minutes, kept for a while so that an answer
 * that was under way when they arrived gets them too, and how far the browser's clock is from the server's.
 *
 * A minute comes in parts, each about its own series: one per partition, cut when large, in any order. So values are kept
 * series by series, and a provisional one does not undo a closed one.
 *
 * The stream tells what closes after it began. What was closed before is for the ranges to know: one that was read
 * earlier is behind, is not called more complete by later events, and has to be read again.
 */
import type { LiveMinute } from '@minutely/schema/query-wire'
import { type Corrections, withCorrections } from '../corrections.ts'
import { type RangeColumns, seriesKey, slide, withCompleteThrough, withMinute } from '../range-columns.ts'
import { minuteMs, type View, windowOf } from '../time-range.ts'

const keptMs = 10 * minuteMs

/** A range in the cache: which question it answers, and its columns. */
export interface SeriesData {
  readonly view: View
  readonly metricIds: ReadonlySet<string>
  readonly range: RangeColumns
  readonly corrections: Corrections
}

type Values = LiveMinute['series'][number]

interface KeptMinute {
  latest: LiveMinute
  readonly closed: Map<string, Values>
  readonly open: Map<string, Values>
}

export class LiveTail {
  readonly #minutes = new Map<number, KeptMinute>()
  #startedMs = 0
  /** Server's clock minus ours, ms. */
  skewMs = 0

  /** The server's time of day. */
  now(): number {
    return Date.now() + this.skewMs
  }

  /** A stream has begun when everything before this instant was closed. */
  start(completeThroughMs: number): void {
    this.#startedMs = completeThroughMs
  }

  isBehind({ range }: SeriesData): boolean {
    return range.completeThroughMs < this.#startedMs
  }

  /** @returns what is news in it. */
  remember(minute: LiveMinute): LiveMinute {
    const { minuteMs: atMs, provisional } = minute
    const kept = this.#minutes.get(atMs) ?? { latest: minute, closed: new Map(), open: new Map() }
    this.#minutes.set(atMs, kept)
    if (minute.completeThroughMs >= kept.latest.completeThroughMs) kept.latest = minute
    const series = minute.series.filter((one) => !provisional || !kept.closed.has(seriesKey(one)))
    for (const one of series) {
      const key = seriesKey(one)
      if (!provisional) kept.open.delete(key)
      kept[provisional ? 'open' : 'closed'].set(key, one)
    }
    for (const at of this.#minutes.keys()) if (at < atMs - keptMs) this.#minutes.delete(at)
    return { ...minute, series }
  }

  /** Adds what arrived while the answer was on its way. */
  replay(data: SeriesData): SeriesData {
    const minutes = [...this.#minutes.values()].flatMap(({ latest, closed, open }) => [
      { ...latest, provisional: false, series: [...closed.values()] },
      { ...latest, provisional: true, series: [...open.values()] },
    ])
    // How complete all of them are is said at the end: it makes those that are still open count as overtaken.
    const known = minutes.reduce((range, minute) => this.#merge(range, { ...minute, completeThroughMs: 0 }), data)
    return this.advance(known, Math.max(0, ...minutes.map(({ completeThroughMs }) => completeThroughMs)))
  }

  merge(data: SeriesData, minute: LiveMinute): SeriesData {
    return this.#merge(data, this.isBehind(data) ? { ...minute, completeThroughMs: 0 } : minute)
  }

  /** Everything before completeThroughMs has come. */
  advance(data: SeriesData, completeThroughMs: number): SeriesData {
    const range = this.isBehind(data) ? data.range : withCompleteThrough(data.range, completeThroughMs)
    return range === data.range ? data : { ...data, range }
  }

  /** What was final before and is different now is marked, for as long as somebody watches. */
  corrected(before: SeriesData | undefined, after: SeriesData): SeriesData {
    if (before === undefined) return after
    const corrections = withCorrections(before.corrections, { before: before.range, after: after.range })
    return { ...after, corrections }
  }

  #merge(data: SeriesData, minute: LiveMinute): SeriesData {
    const window = windowOf(data.view, Math.max(this.now(), minute.minuteMs), data.range.stepMs)
    const slid = window.toMs > data.range.endMs ? slide(data.range, window) : data.range
    const range = withMinute(slid, minute, data.metricIds)
    if (range === data.range) return data
    const isLate = !minute.provisional && minute.minuteMs + minuteMs <= data.range.completeThroughMs
    return isLate ? this.corrected(data, { ...data, range }) : { ...data, range }
  }
}
