/**
 * Says in the log that new series are refused past the series limit: a line when it begins, and one a minute at most while it goes on,
 * with how often and of which server first. It ends when none was refused for a minute. Instants are ms since the epoch.
 *
 * A series that comes again is refused again and counts again: the collector does not remember what it refused.
 */
import { minuteMs } from '@minutely/schema/limits'
import type { SeriesRefusals } from './active-series.ts'

export interface RefusedSeriesLogDeps {
  readonly warn: (fields: { readonly series: number; readonly serverId: string }, message: string) => void
}

export class RefusedSeriesLog {
  readonly #deps: RefusedSeriesLogDeps
  #saidAtMs = Number.NEGATIVE_INFINITY
  #lastAtMs = Number.NEGATIVE_INFINITY
  /** Since the last line. */
  #unsaid: SeriesRefusals = { count: 0, first: undefined }

  constructor(deps: RefusedSeriesLogDeps) {
    this.#deps = deps
  }

  /** After each request. */
  note({ count, first }: SeriesRefusals, nowMs: number): void {
    if (count === 0) return
    // Also when the clock was set back: one line too many is better than none for hours.
    const isBegin = nowMs > this.#lastAtMs + minuteMs || nowMs < this.#saidAtMs
    this.#lastAtMs = nowMs
    const before = isBegin ? { count: 0, first: undefined } : this.#unsaid
    this.#unsaid = { count: before.count + count, first: before.first ?? first }
    if (!isBegin && nowMs < this.#saidAtMs + minuteMs) return
    const { count: series, first: { serverId, detail } = { serverId: '', detail: '' } } = this.#unsaid
    const goesOn = isBegin ? 'new series are refused' : 'new series are still refused'
    this.#deps.warn(
      { series, serverId },
      `${goesOn} (series-limit): ${series} times, first of server ${serverId}: ${detail}`,
    )
    this.#saidAtMs = nowMs
    this.#unsaid = { count: 0, first: undefined }
  }
}
