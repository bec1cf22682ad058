/**
 * What live events told about one server beyond the cached ranges: the newest minutes, kept for a while so that an answer
 * that was under way when they arrived gets them too, and how far the browser's clock is from the server's.
 */
import type { LiveMinute } from '@minutely/schema/query-wire'
import { type RangeColumns, slide, withMinute } from '../range-columns.ts'
import { minuteMs, type View, windowOf } from '../time-range.ts'

const keptMs = 10 * minuteMs

/** A range in the cache: which question it answers, and its columns. */
export interface SeriesData {
  readonly view: View
  readonly metricIds: ReadonlySet<string>
  readonly range: RangeColumns
}

export class LiveTail {
  readonly #minutes = new Map<number, LiveMinute[]>()
  /** Server's clock minus ours, ms. */
  skewMs = 0

  /** The server's time of day. */
  now(): number {
    return Date.now() + this.skewMs
  }

  remember(minute: LiveMinute): void {
    // A minute may come in parts, one per partition or late merge; only repetitions of open minutes are whole.
    const before = this.#minutes.get(minute.minuteMs) ?? []
    this.#minutes.set(minute.minuteMs, [...before.filter(({ provisional }) => !provisional), minute])
    for (const at of this.#minutes.keys()) if (at < minute.minuteMs - keptMs) this.#minutes.delete(at)
  }

  /** Adds what arrived while the answer was on its way. */
  replay(data: SeriesData): SeriesData {
    return [...this.#minutes.values()].flat().reduce((known, minute) => this.merge(known, minute), data)
  }

  merge(data: SeriesData, minute: LiveMinute): SeriesData {
    const window = windowOf(data.view, Math.max(this.now(), minute.minuteMs))
    const slid = window.toMs > data.range.endMs ? slide(data.range, window) : data.range
    const range = withMinute(slid, minute, data.metricIds)
    return range === data.range ? data : { ...data, range }
  }
}
