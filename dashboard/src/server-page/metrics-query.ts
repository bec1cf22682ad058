/**
 * The metrics of one server, asked for once a minute. A server that nobody knows is an answer, not an error: it may be about
 * to send its first sample. Until it is in the list of servers its metrics are not asked for again, because the browser
 * writes every 404 to its console.
 */

import type { MetricEntry } from '@minutely/schema/query-wire'
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { ApiFailure, readMetrics, readServers } from '../api.ts'

const refreshMs = 60_000
export const retryMs = 5_000

export type ServerMetrics =
  | { readonly kind: 'known'; readonly entries: readonly MetricEntry[] }
  | { readonly kind: 'unknown' }

const unknown: ServerMetrics = { kind: 'unknown' }
/** Of the ids that contain this one; with more of them than fit, the server itself is asked. */
const listedMax = 1000

export function metricsKeyOf(serverId: string): readonly unknown[] {
  return ['metrics', serverId]
}

export function useMetrics(serverId: string) {
  const queries = useQueryClient()
  const queryKey = metricsKeyOf(serverId)
  return useQuery({
    queryKey,
    queryFn: async ({ signal }): Promise<ServerMetrics> => {
      const before = queries.getQueryData<ServerMetrics>(queryKey)
      if (before?.kind === 'unknown' && !(await mayBeListed(serverId, signal))) return unknown
      try {
        return { kind: 'known', entries: (await readMetrics(serverId, signal)).metrics }
      } catch (error) {
        if (error instanceof ApiFailure && error.id === 'server-not-found') return unknown
        throw error
      }
    },
    refetchInterval: ({ state: { error, data } }) =>
      error === null && data?.kind === 'known' && data.entries.length > 0 ? refreshMs : retryMs,
  })
}

async function mayBeListed(serverId: string, signal: AbortSignal): Promise<boolean> {
  const { servers, nextCursor } = await readServers({ query: serverId, limit: listedMax, cursor: null }, signal)
  return nextCursor !== null || servers.some((server) => server.serverId === serverId)
}
