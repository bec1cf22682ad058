/**
 * Follows one server live, once it is known: each event goes straight into the cached ranges, so charts change without being
 * read again.
 */
import { useQueryClient } from '@tanstack/react-query'
import { useEffect, useState } from 'react'
import { liveUrl } from '../api.ts'
import { type LiveState, openLiveStream } from '../live-stream.ts'
import { minuteMs } from '../time-range.ts'
import { useLostSince } from '../use-lost-since.ts'
import { LiveTail, type SeriesData } from './live-tail.ts'
import { metricsKeyOf } from './metrics-query.ts'
import { seriesKeyOf } from './series-query.ts'

export interface Live {
  readonly state: LiveState
  readonly tail: LiveTail
  /** 0 until known. */
  readonly completeThroughMs: number
  /** End of the newest minute that live events brought, 0 when none did. */
  readonly lastSeenMs: number
  /** Since when the connection has been away (the browser's clock), when that is long enough to say so. */
  readonly lostSinceMs: number | undefined
}

export function useLive(serverId: string, isKnown: boolean): Live {
  const queries = useQueryClient()
  const [tail] = useState(() => new LiveTail())
  const [state, setState] = useState<LiveState>('connecting')
  const [completeThroughMs, setCompleteThroughMs] = useState(0)
  const [lastSeenMs, setLastSeenMs] = useState(0)

  useEffect(() => {
    if (!isKnown) return
    const seriesKey = seriesKeyOf(serverId)
    let hasStatus = false
    const update = (change: (data: SeriesData) => SeriesData) => {
      for (const query of queries.getQueryCache().findAll({ queryKey: seriesKey })) {
        const before = query.state.data as SeriesData | undefined
        if (before === undefined) continue
        const after = change(before)
        if (after !== before) queries.setQueryData(query.queryKey, after, { updatedAt: query.state.dataUpdatedAt })
      }
    }
    const readAgainWhatIsBehind = () => {
      const predicate = ({ state: { data } }: { state: { data: unknown } }) =>
        data !== undefined && tail.isBehind(data as SeriesData)
      void queries.invalidateQueries({ queryKey: seriesKey, predicate })
    }
    return openLiveStream(liveUrl(serverId), {
      onMinute: (minute) => {
        const news = tail.remember(minute)
        update((data) => tail.merge(data, news))
        setCompleteThroughMs((before) => Math.max(before, minute.completeThroughMs))
        if (minute.series.length > 0) {
          setLastSeenMs((before) => Math.max(before, Math.min(tail.now(), minute.minuteMs + minuteMs)))
        }
      },
      onStatus: (status) => {
        tail.skewMs = status.nowMs - Date.now()
        setCompleteThroughMs((before) => Math.max(before, status.completeThroughMs))
        // The first one of a stream says where it begins, later ones how far everything has come.
        if (!hasStatus) tail.start(status.completeThroughMs)
        hasStatus = true
        update((data) => tail.advance(data, status.completeThroughMs))
        readAgainWhatIsBehind()
      },
      onState: (next) => {
        if (next !== 'connected') hasStatus = false
        setState(next)
      },
      onGap: () => {
        void queries.invalidateQueries({ queryKey: seriesKey })
        void queries.invalidateQueries({ queryKey: metricsKeyOf(serverId) })
      },
    })
  }, [serverId, isKnown, queries, tail])

  return { state, tail, completeThroughMs, lastSeenMs, lostSinceMs: useLostSince(state) }
}
