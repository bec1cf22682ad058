/** The ranges of all compared servers, on one grid, read again when a minute was closed. A server that cannot be read says why; the others go on. */
import { keepPreviousData, useQuery, useQueryClient } from '@tanstack/react-query'
import { ApiFailure, readSeries, retryAfter } from '../api.ts'
import { type Corrections, noCorrections, withCorrections } from '../corrections.ts'
import { fittingStepMs, withFittingStep } from '../finest-step.ts'
import { fromAnswer, type RangeColumns } from '../range-columns.ts'
import { minuteMs, type View } from '../time-range.ts'

export const compareKey = 'compare'
export const retryMs = 5_000
const pollMs = 2 * minuteMs

export interface ComparedServer {
  readonly serverId: string
  /** Undefined: it could not be read, and `problem` says why. */
  readonly range: RangeColumns | undefined
  readonly problem: string | undefined
}

export interface CompareData {
  readonly servers: readonly ComparedServer[]
  readonly corrections: Corrections
}

export interface CompareQuestion {
  readonly serverIds: readonly string[]
  readonly globs: readonly string[]
  readonly view: View
  readonly stepMsMin: number
  readonly nowMs: number
}

export function useCompare({ serverIds, globs, view, stepMsMin, nowMs }: CompareQuestion) {
  const queries = useQueryClient()
  const queryKey = [compareKey, view, stepMsMin, serverIds, globs]
  return useQuery({
    queryKey,
    queryFn: async ({ signal }): Promise<CompareData> => {
      const before = queries.getQueryData<CompareData>(queryKey)
      const servers = await withFittingStep(view, { nowMs, stepMsMin }, (window) =>
        Promise.all(
          serverIds.map(async (serverId): Promise<ComparedServer> => {
            try {
              const answer = await readSeries({ serverId, metricIds: globs, window }, signal)
              return { serverId, range: fromAnswer(answer), problem: undefined }
            } catch (error) {
              const isOwn = error instanceof ApiFailure && !error.isPassing && fittingStepMs(error) === undefined
              if (!isOwn) throw error
              return { serverId, range: undefined, problem: error.message }
            }
          }),
        ),
      )
      return { servers, corrections: correctionsOf(before, servers) }
    },
    enabled: serverIds.length > 0 && globs.length > 0,
    placeholderData: keepPreviousData,
    structuralSharing: false,
    staleTime: minuteMs,
    gcTime: minuteMs,
    refetchInterval: ({ state: { error } }) => (error === null ? pollMs : retryAfter(error, retryMs)),
  })
}

function correctionsOf(before: CompareData | undefined, servers: readonly ComparedServer[]): Corrections {
  const old = new Map(before?.servers.map(({ serverId, range }) => [serverId, range]))
  return servers.reduce((known, { serverId, range: after }) => {
    const range = old.get(serverId)
    return range === undefined || after === undefined ? known : withCorrections(known, { before: range, after })
  }, before?.corrections ?? noCorrections)
}
