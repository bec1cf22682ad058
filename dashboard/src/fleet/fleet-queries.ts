/**
 * What the fleet page asks: all servers, the newest value of each, which metrics there are, and which labels the chosen one has. Servers
 * and values are asked for in parallel, since neither needs the other; what is already there stays while the API is away.
 */
import type { LatestAnswer, ServerEntry } from '@minutely/schema/query-wire'
import { keepPreviousData, useQuery } from '@tanstack/react-query'
import { ApiFailure, readLatest, readMetricList, readMetrics, readServers } from '../api.ts'
import { inOrder, type Reading, readAggregation } from './fleet-rows.ts'

/** What the wall shows. */
export interface Colouring {
  readonly title: string
  readonly metricId: string
  readonly labels: readonly string[]
  readonly reading: Reading
}

export interface Fleet {
  /** In the order of names. */
  readonly servers: readonly ServerEntry[]
  /** There are more than are shown. */
  readonly hasMore: boolean
}

/** A page of the API, and how many servers a page of ours holds. */
const pageLimit = 10_000
export const serversMax = 30_000
/** Also without a live connection. */
const refreshMs = 75_000
/** Somebody waits for the first server. */
const emptyRefreshMs = 2_000
/** While they are few, a new one is news. */
const fewRefreshMs = 15_000
const fewServers = 50
export const retryMs = 5_000
/** A server whose last batch is late still has its value. */
const minutesBack = 3
const metricsListed = 200

/** Asking the same again may help. */
export function isPassing(error: Error): boolean {
  return !(error instanceof ApiFailure) || error.isPassing
}

export const fleetKey = ['fleet'] as const

/** Series are counted where they are shown: it takes longer than all the rest. */
export function useFleet(isCounted: boolean) {
  return useQuery({
    queryKey: [...fleetKey, 'servers', isCounted],
    queryFn: async ({ signal }): Promise<Fleet> => {
      const found: ServerEntry[] = []
      let cursor: string | null = null
      do {
        const page = await readServers({ query: '', limit: pageLimit, cursor, isCounted }, signal)
        found.push(...page.servers)
        cursor = page.nextCursor
      } while (cursor !== null && found.length < serversMax)
      return { servers: inOrder(found), hasMore: cursor !== null }
    },
    placeholderData: keepPreviousData,
    refetchInterval: ({ state: { error, data } }) => {
      if (error !== null) return retryMs
      const count = data?.servers.length ?? 0
      return count === 0 ? emptyRefreshMs : count < fewServers ? fewRefreshMs : refreshMs
    },
  })
}

export function useLatest(colouring: Colouring, groupBy: string | undefined) {
  const { metricId, labels, reading } = colouring
  const aggregation = readAggregation(reading)
  return useQuery({
    queryKey: [...fleetKey, 'latest', metricId, aggregation, labels, groupBy],
    queryFn: ({ signal }): Promise<LatestAnswer> =>
      readLatest({ metricId, aggregation, labels, groupBy, minutes: minutesBack }, signal),
    refetchInterval: ({ state }) => (state.error === null ? refreshMs : isPassing(state.error) ? retryMs : false),
  })
}

export function useMetricNames(query: string, isWanted: boolean) {
  return useQuery({
    queryKey: ['metric-list', query, metricsListed],
    queryFn: ({ signal }) => readMetricList({ query, limit: metricsListed, cursor: null }, signal),
    enabled: isWanted,
    placeholderData: keepPreviousData,
  })
}

/** Labels of a metric, with the values that one server has: what can be chosen from. */
export function useLabels(metricId: string, serverId: string | undefined) {
  return useQuery({
    queryKey: [...fleetKey, 'labels', metricId, serverId],
    queryFn: async ({ signal }): Promise<ReadonlyMap<string, readonly string[]>> => {
      if (serverId === undefined) return new Map()
      const values = new Map<string, Set<string>>()
      for (const { labels } of (await readMetrics(serverId, signal, metricId)).metrics) {
        for (const [name, value] of Object.entries(labels)) {
          values.set(name, (values.get(name) ?? new Set()).add(value))
        }
      }
      return new Map([...values].map(([name, found]) => [name, [...found].sort()]))
    },
    enabled: serverId !== undefined,
    staleTime: Number.POSITIVE_INFINITY,
  })
}
