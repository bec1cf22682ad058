/**
 * Follows a metric's closed minutes: put together once by the API for all who ask the same, and folded into what this page has read. What an
 * event cannot tell is read: the values of ranked servers that it does not name, and the whole range when something was missed.
 */

import type { LiveMetricMinute } from '@minutely/schema/live-wire'
import { useQueryClient } from '@tanstack/react-query'
import { useEffect, useRef, useState } from 'react'
import { readSeries } from '../api.ts'
import { createGate } from '../gate.ts'
import { type LiveState, openLiveStream } from '../live-stream.ts'
import { metricLiveUrl } from '../metric-api.ts'
import { fromAnswer, type RangeColumns } from '../range-columns.ts'
import { minuteMs, windowOf } from '../time-range.ts'
import { useLostSince } from '../use-lost-since.ts'
import type { Progress } from '../use-progress.ts'
import { foldMinute, withRead } from './metric-minutes.ts'
import {
  type MetricData,
  type MetricQuestion,
  metricKeyOf,
  quantiles,
  type RankedSeries,
  rereadAfter,
} from './metric-query.ts'

/** As many as the API names. */
const rankedMax = 100
/** Of the browser's six connections to a host. */
const readsMax = 2

interface MetricLiveOptions {
  readonly isKnown: boolean
  readonly refetch: (options: { cancelRefetch: boolean }) => unknown
}

export function useMetricLive(question: MetricQuestion, { isKnown, refetch }: MetricLiveOptions): Progress {
  const queries = useQueryClient()
  const [state, setState] = useState<LiveState>('connecting')
  const [completeThroughMs, setCompleteThroughMs] = useState(0)
  const [skewMs, setSkewMs] = useState(0)
  const latest = useRef({ question, refetch })
  useEffect(() => {
    latest.current = { question, refetch }
  })
  const { metricId, labels, asked } = question
  const { by, order, per } = asked
  const url = metricLiveUrl({ metricId, labels, by, order, per, quantiles, limit: rankedMax })

  useEffect(() => {
    if (!isKnown) return
    const gate = createGate(readsMax)
    const abort = new AbortController()
    // An answer that is on its way is waited for, however slow.
    const readAgain = () => void latest.current.refetch({ cancelRefetch: false })
    const readMissing = async (series: readonly RankedSeries[], atMs: number) => {
      const { signal } = abort
      const window = { fromMs: atMs, toMs: atMs + minuteMs, stepMs: minuteMs }
      const read = new Map<string, RangeColumns>()
      const tasks = series.map(async ({ key, serverId, metricId: ofMetric }) => {
        const answer = await gate.run(() => readSeries({ serverId, metricIds: [ofMetric], window }, signal), signal)
        read.set(key, fromAnswer(answer))
      })
      // What could not be read is there when the range is read again.
      await Promise.allSettled(tasks)
      if (signal.aborted) return
      const queryKey = metricKeyOf(latest.current.question)
      const query = queries.getQueryState<MetricData>(queryKey)
      if (query?.data === undefined) return
      queries.setQueryData(queryKey, withRead(query.data, read), { updatedAt: query.dataUpdatedAt })
    }
    const onMinute = (minute: LiveMetricMinute) => {
      const { view, stepMsMin, nowMs } = latest.current.question
      setCompleteThroughMs((before) => Math.max(before, minute.completeThroughMs))
      const queryKey = metricKeyOf(latest.current.question)
      const query = queries.getQueryState<MetricData>(queryKey)
      if (query?.data === undefined) return
      const window = windowOf(view, Math.max(nowMs, minute.minuteMs + minuteMs), stepMsMin)
      const verdict = foldMinute(query.data, minute, { window, by, rankedMax })
      const isDue = Date.now() - query.dataUpdatedAt >= rereadAfter(query.data.tookMs)
      if (verdict.kind === 'behind' || isDue) readAgain()
      if (verdict.kind !== 'folded') return
      queries.setQueryData(queryKey, verdict.data, { updatedAt: query.dataUpdatedAt })
      if (verdict.missing.length > 0) void readMissing(verdict.missing, minute.minuteMs)
    }
    const close = openLiveStream<LiveMetricMinute>(url, {
      onMinute,
      onStatus: (status) => setSkewMs(status.nowMs - Date.now()),
      onState: setState,
      onGap: readAgain,
    })
    return () => {
      abort.abort()
      close()
    }
  }, [url, by, isKnown, queries])

  return { state, completeThroughMs, skewMs, lostSinceMs: useLostSince(state) }
}
