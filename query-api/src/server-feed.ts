/**
 * One watched server of this process: the parts of its minutes as they come over the live channel, passed on to all its
 * viewers as the same objects (event-frames.ts), and how far they have been told everything. Instants are ms since the epoch.
 *
 * A part comes with its partition's completeThroughMs, which says nothing of the server's other series; and the channel may
 * lose parts. So what a viewer is told is settledMs instead: it follows complete-through of all partitions (Postgres),
 * but only once each series that was shown open has been shown closed.
 *
 *   judge(completeThroughMs)
 *     settled   nothing is missing of the minutes before it
 *     wait      something is, and may be on its way
 *     read      it did not come until the next time, or the connection was lost: read the minutes from Postgres
 *
 * Missing is: a series shown open and not closed, a minute without any closed series, one with fewer than the minute
 * before. A server that has fallen silent costs one question a minute that way.
 *
 * A value once closed does not become provisional again: an aggregator that was paused, replaced and continued sends parts of
 * minutes that its successor has closed.
 */
import type { LiveListener, LiveReader, ServerKey } from '@minutely/lib/live/live-channel'
import { minuteMs } from '@minutely/schema/limits'
import type { LiveMinute } from '@minutely/schema/query-wire'
import { seriesKey } from '@minutely/schema/series-identity'

export type FeedState = 'settled' | 'wait' | 'read'

/** Series-minutes remembered until they are settled; past it they are forgotten, and read from Postgres. */
const trackedMax = 50_000
/** Minutes looked at one by one; a longer way is read from Postgres. */
const judgedMinutesMax = 60

export class ServerFeed {
  readonly server: ServerKey
  readonly #live: LiveReader
  readonly #listeners = new Set<LiveListener>()
  readonly #unwatch: () => void
  /** By minute, then by series: whether it is closed. */
  readonly #shown = new Map<number, Map<string, boolean>>()
  #shownCount = 0
  #settledMs = 0
  #isStarted = false
  #connectionId: number | undefined
  #expectedSeries = 1
  #awaitedMs = 0

  constructor(server: ServerKey, live: LiveReader) {
    this.server = server
    this.#live = live
    this.#connectionId = live.connectionId
    this.#unwatch = live.watch(server, (part) => this.#pass(this.#accept(part)))
  }

  /** Everything before it has been passed on; 0 before anything is known. */
  get settledMs(): number {
    return this.#settledMs
  }

  get viewerCount(): number {
    return this.#listeners.size
  }

  add(listener: LiveListener): void {
    this.#listeners.add(listener)
  }

  /** The last one to go ends it. */
  remove(listener: LiveListener): void {
    this.#listeners.delete(listener)
    if (this.#listeners.size === 0) this.#unwatch()
  }

  /** What the first viewer knows; minutes before it are its own to read. 0 when nothing is complete yet. */
  startFrom(completeThroughMs: number): void {
    if (!this.#isStarted) this.#settledMs = completeThroughMs
    this.#isStarted = true
  }

  /** @param completeThroughMs of all partitions. Settles what can be. */
  judge(completeThroughMs: number): FeedState {
    if (!this.#isStarted || completeThroughMs <= this.#settledMs) return 'settled'
    // The first minute that is complete at all has no beginning to count from.
    if (this.#settledMs === 0) this.#settledMs = completeThroughMs - minuteMs
    if (this.#connectionId === undefined || this.#connectionId !== this.#live.connectionId) return 'read'
    if (this.#isWhole(completeThroughMs)) {
      this.settle(completeThroughMs)
      return 'settled'
    }
    if (this.#awaitedMs > 0) return 'read'
    this.#awaitedMs = completeThroughMs
    return 'wait'
  }

  /** Minutes as Postgres has them; with `settled` they are the last ones before it. */
  passStored(
    minutes: readonly LiveMinute[],
    settled?: { completeThroughMs: number; connectionId: number | undefined },
  ) {
    const accepted = minutes
      .filter((minute) => minute.minuteMs + minuteMs > this.#settledMs)
      .map((m) => this.#accept(m))
    if (settled !== undefined) this.settle(settled.completeThroughMs, settled.connectionId)
    for (const minute of accepted) this.#pass(minute)
  }

  /** What came before completeThroughMs has been passed on. @param connectionId the channel's before it was read. */
  settle(completeThroughMs: number, connectionId: number | undefined = this.#connectionId): void {
    this.#expectedSeries = Math.max(
      1,
      this.#closedCount(Math.floor(completeThroughMs / minuteMs) * minuteMs - minuteMs),
    )
    this.#settledMs = Math.max(this.#settledMs, completeThroughMs)
    this.#connectionId = connectionId
    this.#awaitedMs = 0
    for (const [atMs, series] of this.#shown) {
      if (atMs + minuteMs > completeThroughMs) continue
      this.#shown.delete(atMs)
      this.#shownCount -= series.size
    }
  }

  /** What is news in it. */
  #accept(part: LiveMinute): LiveMinute | undefined {
    const { provisional, minuteMs: atMs } = part
    let { series } = part
    if (provisional) {
      if (atMs + minuteMs <= this.#settledMs) return undefined
      const shown = this.#shown.get(atMs)
      if (shown !== undefined) series = series.filter((one) => shown.get(seriesKey(one)) !== true)
      if (series.length === 0) return undefined
    }
    this.#remember(atMs, series, !provisional)
    // One process that owns all partitions knows at once.
    const ownMs = provisional ? 0 : this.#live.completeThroughMs()
    if (this.#isStarted && ownMs > this.#settledMs && this.#isWhole(ownMs)) this.settle(ownMs)
    return { ...part, series }
  }

  #pass(minute: LiveMinute | undefined): void {
    if (minute === undefined) return
    const told = { ...minute, completeThroughMs: this.#settledMs }
    for (const listener of this.#listeners) listener(told)
  }

  #remember(atMs: number, series: LiveMinute['series'], closed: boolean): void {
    if (atMs + minuteMs <= this.#settledMs) return
    const shown = this.#shown.get(atMs) ?? new Map<string, boolean>()
    this.#shown.set(atMs, shown)
    this.#shownCount -= shown.size
    for (const one of series) shown.set(seriesKey(one), closed)
    this.#shownCount += shown.size
    if (this.#shownCount <= trackedMax) return
    this.#shown.clear()
    this.#shownCount = 0
    this.#connectionId = undefined
  }

  #isWhole(completeThroughMs: number): boolean {
    for (const [atMs, series] of this.#shown) {
      if (atMs + minuteMs > completeThroughMs) continue
      for (const closed of series.values()) if (!closed) return false
    }
    if (completeThroughMs - this.#settledMs > judgedMinutesMax * minuteMs) return false
    for (let atMs = Math.floor(this.#settledMs / minuteMs) * minuteMs; atMs < completeThroughMs; atMs += minuteMs) {
      if (this.#closedCount(atMs) < this.#expectedSeries) return false
    }
    return true
  }

  #closedCount(atMs: number): number {
    let count = 0
    for (const closed of this.#shown.get(atMs)?.values() ?? []) if (closed) count++
    return count
  }
}
