/**
 * What a viewer missed while it was away: the stored minutes of a server from an instant on, as live events.
 * Instants are ms since the epoch, intervals half-open.
 *
 *   sinceMs - margin                            now  + 10 min
 *        |---- part ----|---- part ----|---- part ----|          a part: minutes of at most partPointsMax points, or one
 *
 * A part is read when the one before it has been taken by the viewer, so that a replay costs the series and one part,
 * however long it is; that is what it takes of the budget of points.
 *
 * An event's id is completeThroughMs as it was then. Minutes before it were closed, but their events may have been a moment
 * behind (a server's minute comes in one part per partition), so a replay starts replayMarginMs earlier. Replaying a
 * minute twice is harmless: an event replaces what the viewer knows of that minute and those series.
 */
import { minuteMs } from '@minutely/schema/limits'
import type { LiveMinute } from '@minutely/schema/query-wire'
import type { QueryConfig } from './config.ts'
import type { StoredSeries } from './dictionary.ts'
import type { MinuteQuery } from './minute-copy.ts'
import type { SeriesSelector } from './series-selector.ts'
import type { StoreSession } from './store-session.ts'

export const replayMarginMs = 2 * minuteMs
/** A minute past now exists when a host's clock runs ahead. */
const aheadMs = 10 * minuteMs
export const partPointsMax = 10_000
/** A point of a live event is an object with labels and its JSON: some 450 bytes, where the budget counts in 28. */
const budgetPointsPerPoint = 16
const everySeries: SeriesSelector = { metricGlobs: [], labelFilters: new Map() }

export interface ReplayParts {
  readonly kind: 'parts'
  readonly serverId: string
  readonly completeThroughMs: number
  readonly seriesOf: ReadonlyMap<number, StoredSeries>
  /** Oldest first. */
  readonly parts: readonly MinuteQuery[]
  /** What it takes of the budget for as long as it lasts. */
  readonly budgetPoints: number
}

/** Minutes to read and send, or why the viewer had better read the range again. */
export type Replay = ReplayParts | { readonly kind: 'reset'; readonly reason: string }

export interface ReplayQuestion {
  readonly serverId: string
  readonly lastEventId: string
  readonly completeThroughMs: number
  readonly nowMs: number
}

export async function planReplay(
  question: ReplayQuestion,
  deps: { session: Pick<StoreSession, 'findSeries'>; config: QueryConfig },
): Promise<Replay> {
  const { serverId, lastEventId, completeThroughMs, nowMs } = question
  const { session, config } = deps
  const sinceMs = /^\d{1,15}$/.test(lastEventId) ? Number(lastEventId) : Number.NaN
  if (Number.isNaN(sinceMs)) return { kind: 'reset', reason: 'Last-Event-ID is not an id of this stream' }
  const missedMinutes = Math.ceil((nowMs - sinceMs) / minuteMs)
  if (missedMinutes > config.replayMinutesMax) {
    return {
      kind: 'reset',
      reason: `${missedMinutes} minutes were missed, ${config.replayMinutesMax} are replayed at most`,
    }
  }
  const fromMs = Math.floor((sinceMs - replayMarginMs) / minuteMs) * minuteMs
  const minutes = Math.max(1, Math.ceil((nowMs - fromMs) / minuteMs))
  const limit = Math.floor(config.pointsMax / minutes) + 1
  const { series } = await session.findSeries({ serverId, selector: everySeries, limit })
  if (series.length === limit) {
    const points = series.length * minutes
    return { kind: 'reset', reason: `${points} points or more were missed, ${config.pointsMax} are replayed at most` }
  }
  const seriesOf = new Map(series.map((one) => [one.seriesId, one]))
  const minutesPerPart = Math.max(1, Math.floor(partPointsMax / Math.max(1, series.length)))
  return {
    kind: 'parts',
    serverId,
    completeThroughMs,
    seriesOf,
    parts: partsOf({ seriesIds: [...seriesOf.keys()], fromMs, toMs: nowMs + aheadMs }, minutesPerPart * minuteMs),
    budgetPoints: budgetPointsPerPoint * series.length * Math.min(minutesPerPart, minutes),
  }
}

function partsOf(whole: MinuteQuery, partMs: number): MinuteQuery[] {
  const parts: MinuteQuery[] = []
  if (whole.seriesIds.length === 0) return parts
  for (let fromMs = whole.fromMs; fromMs < whole.toMs; fromMs += partMs) {
    parts.push({ ...whole, fromMs, toMs: Math.min(fromMs + partMs, whole.toMs) })
  }
  return parts
}

/** Oldest first. */
export async function readPart(part: MinuteQuery, replay: ReplayParts, session: StoreSession): Promise<LiveMinute[]> {
  const { serverId, completeThroughMs, seriesOf } = replay
  const minutes = new Map<number, LiveMinute>()
  await session.readMinutes(part, (seriesId, atMs, values) => {
    const found = seriesOf.get(seriesId)
    if (found === undefined) return
    const { metricId, labels } = found
    let minute = minutes.get(atMs)
    if (minute === undefined) {
      const provisional = atMs + minuteMs > completeThroughMs
      minute = { serverId, minuteMs: atMs, provisional, completeThroughMs, series: [] }
      minutes.set(atMs, minute)
    }
    minute.series.push({ metricId, labels, ...values, avg: values.sum / values.count })
  })
  return [...minutes.values()].sort((a, b) => a.minuteMs - b.minuteMs)
}
