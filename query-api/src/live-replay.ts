/**
 * What a viewer missed while it was away: the stored minutes of a server from an instant on, as live events.
 * Instants are ms since the epoch.
 *
 * An event's id is completeThroughMs as it was then. Minutes before it were closed, but their events may have been a moment
 * behind (a server's minute comes in one part per partition), so a replay starts replayMarginMs earlier. Replaying a
 * minute twice is harmless: an event replaces what the viewer knows of that minute and those series.
 */
import { minuteMs } from '@minutely/schema/limits'
import type { LiveMinute } from '@minutely/schema/query-wire'
import type { QueryConfig } from './config.ts'
import type { SeriesSelector } from './series-selector.ts'
import type { StoreSession } from './store-session.ts'

export const replayMarginMs = 2 * minuteMs
const everySeries: SeriesSelector = { metricGlobs: [], labelFilters: new Map() }

/** Minutes to send, or why the viewer had better read the range again. */
export type Replay =
  | { readonly kind: 'minutes'; readonly minutes: readonly LiveMinute[] }
  | { readonly kind: 'reset'; readonly reason: string }

export interface ReplayQuestion {
  readonly serverId: string
  readonly lastEventId: string
  readonly completeThroughMs: number
  readonly nowMs: number
}

export async function readReplay(
  question: ReplayQuestion,
  deps: { session: StoreSession; config: QueryConfig },
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
  const series = await session.findSeries({ serverId, selector: everySeries, limit: config.pointsMax })
  const points = series.length * Math.max(0, Math.ceil((nowMs - fromMs) / minuteMs))
  if (points > config.pointsMax) {
    return { kind: 'reset', reason: `${points} points were missed, ${config.pointsMax} are replayed at most` }
  }
  const seriesOf = new Map(series.map((one) => [one.seriesId, one]))
  const minutes = new Map<number, LiveMinute>()
  // A minute past now exists when a host's clock runs ahead.
  const query = { seriesIds: [...seriesOf.keys()], fromMs, toMs: nowMs + 10 * minuteMs }
  await session.readMinutes(query, (seriesId, atMs, values) => {
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
  return { kind: 'minutes', minutes: [...minutes.values()].sort((a, b) => a.minuteMs - b.minuteMs) }
}
