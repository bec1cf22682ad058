/**
 * The columns of a batch of metrics: read once, then kept current by live minutes (use-live.ts) and read again after a gap in
 * them, and every few minutes for late corrections. While there is no live connection, every half minute.
 */
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { readSeries } from '../api.ts'
import { noCorrections } from '../corrections.ts'
import { withFittingStep } from '../finest-step.ts'
import type { LiveState } from '../live-stream.ts'
import { fromAnswer, tailStart } from '../range-columns.ts'
import { hourMs, minuteMs, type View } from '../time-range.ts'
import type { LiveTail, SeriesData } from './live-tail.ts'

const pollMs = 30_000
/** Late data for old minutes is not announced: what is shown is read again this often. Unchanged answers are not sent again. */
const correctedMs = 5 * minuteMs
/** Two steps are read minute by minute; longer ones grow when they are read again. */
const foldedStepMsMax = 3 * hourMs
const retryMs = 10_000
/** Minutes older than this are closed, so no live minute will change them. */
const openMsMax = 5 * minuteMs

export interface SeriesQuestion {
  readonly serverId: string
  readonly metricIds: readonly string[]
  readonly view: View
  readonly stepMsMin: number
}

export function seriesKeyOf(serverId: string): readonly unknown[] {
  return ['series', serverId]
}

export function useSeries(
  { serverId, metricIds, view, stepMsMin }: SeriesQuestion,
  { tail, liveState, enabled }: { tail: LiveTail; liveState: LiveState; enabled: boolean },
) {
  const queries = useQueryClient()
  const queryKey = [...seriesKeyOf(serverId), view, stepMsMin, metricIds]
  return useQuery({
    queryKey,
    queryFn: async ({ signal }): Promise<SeriesData> => {
      const range = await withFittingStep(view, { nowMs: tail.now(), stepMsMin }, async (window) => {
        const isFolded =
          window.stepMs > minuteMs && window.stepMs <= foldedStepMsMax && window.toMs > tail.now() - openMsMax
        const tailWindow = { fromMs: tailStart(window), toMs: window.toMs, stepMs: minuteMs }
        const [answer, minutes] = await Promise.all([
          readSeries({ serverId, metricIds, window }, signal),
          isFolded ? readSeries({ serverId, metricIds, window: tailWindow }, signal) : undefined,
        ])
        return fromAnswer(answer, minutes)
      })
      const data = { view, metricIds: new Set(metricIds), range, corrections: noCorrections }
      return tail.corrected(queries.getQueryData<SeriesData>(queryKey), tail.replay(data))
    },
    enabled,
    structuralSharing: false,
    staleTime: 60_000,
    gcTime: 60_000,
    refetchInterval: ({ state }) => {
      if (state.error !== null) return retryMs
      return liveState === 'connected' ? correctedMs : pollMs
    },
  })
}
