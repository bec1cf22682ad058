/** What the page asks: again whenever a minute was closed, and now and then when nobody tells. */
import type { IngestAnswer } from '@minutely/schema/ingest-wire'
import { keepPreviousData, useQuery } from '@tanstack/react-query'
import { useRef } from 'react'
import { read } from '../api.ts'
import { withFittingStep } from '../finest-step.ts'
import type { View, Window } from '../time-range.ts'

export const retryMs = 5_000
export const ingestKey: readonly unknown[] = ['ingest']
const pollMs = 60_000

interface Known {
  readonly data: IngestAnswer
  /** By the browser's clock. */
  readonly readAtMs: number
}

/** What was read last stays, also while another range cannot be read. */
export function useIngest({ view, stepMsMin, nowMs }: { view: View; stepMsMin: number; nowMs: number }) {
  const known = useRef<Known>(undefined)
  const query = useQuery({
    queryKey: [...ingestKey, view, stepMsMin],
    queryFn: ({ signal }) => withFittingStep(view, { nowMs, stepMsMin }, (window) => readIngest(window, signal)),
    placeholderData: keepPreviousData,
    staleTime: pollMs / 2,
    refetchInterval: ({ state }) => (state.error === null ? pollMs : retryMs),
  })
  const { data, dataUpdatedAt, isPlaceholderData } = query
  if (data !== undefined && !isPlaceholderData) known.current = { data, readAtMs: dataUpdatedAt }
  return { query, known: known.current }
}

function readIngest({ fromMs, toMs, stepMs }: Window, signal: AbortSignal): Promise<IngestAnswer> {
  const params = new URLSearchParams({ from: String(fromMs), to: String(toMs), stepMs: String(stepMs) })
  return read(`/v1/ingest?${params}`, signal)
}
