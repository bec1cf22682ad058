/**
 * The columns of a batch of metrics: read once, then kept current by live minutes (use-live.ts) and read again after a gap in
 * them. While there is no live connection the range is read again every half minute instead.
 */
import { useQuery } from '@tanstack/react-query'
import { readSeries } from '../api.ts'
import type { LiveState } from '../live-stream.ts'
import { fromAnswer, tailStart } from '../range-columns.ts'
import { minuteMs, type View, windowOf } from '../time-range.ts'
import type { LiveTail, SeriesData } from './live-tail.ts'

const pollMs = 30_000
const retryMs = 10_000
/** Minutes older than this are closed, so no live minute will change them. */
const openMsMax = 5 * minuteMs

export interface SeriesQuestion {
  readonly serverId: string
  readonly metricIds: readonly string[]
  readonly view: View
}

export function seriesKeyOf(serverId: string): readonly unknown[] {
  return ['series', serverId]
}

export function useSeries(
  { serverId, metricIds, view }: SeriesQuestion,
  { tail, liveState, enabled }: { tail: LiveTail; liveState: LiveState; enabled: boolean },
) {
  return useQuery({
    queryKey: [...seriesKeyOf(serverId), view, metricIds],
    queryFn: async ({ signal }): Promise<SeriesData> => {
      const window = windowOf(view, tail.now())
      const isFolded = window.stepMs > minuteMs && window.toMs > tail.now() - openMsMax
      const tailWindow = { fromMs: tailStart(window), toMs: window.toMs, stepMs: minuteMs }
      const [answer, minutes] = await Promise.all([
        readSeries({ serverId, metricIds, window }, signal),
        isFolded ? readSeries({ serverId, metricIds, window: tailWindow }, signal) : undefined,
      ])
      return tail.replay({ view, metricIds: new Set(metricIds), range: fromAnswer(answer, minutes) })
    },
    enabled,
    structuralSharing: false,
    staleTime: 60_000,
    gcTime: 60_000,
    refetchInterval: ({ state }) => {
      if (state.error !== null) return retryMs
      return liveState === 'connected' ? false : pollMs
    },
  })
}
