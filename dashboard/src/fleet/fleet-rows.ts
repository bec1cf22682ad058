/**
 * The fleet as rows, for the wall and for the list: every server that is known, with its newest value of what is shown, if it has one.
 * No value is null, never zero. Instants are ms since the epoch.
 */
import type { Aggregation, LatestAnswer, ServerEntry } from '@minutely/schema/query-wire'
import { freshnessOf } from '../instant-text.ts'
import type { Sort } from './fleet-view.ts'

export interface FleetRow {
  readonly server: ServerEntry
  readonly value: number | null
  readonly group: string | null
  /** Has sent nothing for a while. */
  readonly isSilent: boolean
}

/** What of an answer is a server's value. */
export interface Reading {
  readonly aggregation: Aggregation
  /** The answer's values are shares that are left over: 1 - value is meant. */
  readonly isRest: boolean
}

const natural = new Intl.Collator('en', { numeric: true })
/** A minute closes about 10 s after its end, and its successor is a minute behind. */
const closedMsMax = 90_000

/**
 * Until when servers are held to have been able to be seen: while Minutely itself is behind, nobody is silent because of that.
 */
export function silenceReference(nowMs: number, completeThroughMs: number | undefined): number {
  return completeThroughMs === undefined || completeThroughMs === 0
    ? nowMs
    : Math.min(nowMs, completeThroughMs + closedMsMax)
}

/** In the order of names, web-2 before web-10. */
export function inOrder(servers: readonly ServerEntry[]): ServerEntry[] {
  return [...servers].sort((a, b) => natural.compare(a.serverId, b.serverId))
}

/** Same order as the servers. */
export function rowsOf(
  servers: readonly ServerEntry[],
  latest: LatestAnswer | undefined,
  { reading, referenceMs }: { readonly reading: Reading; readonly referenceMs: number },
): FleetRow[] {
  const placeOf = new Map(latest?.servers.map((serverId, place) => [serverId, place]))
  const column = latest?.series[0]?.[readAggregation(reading)]
  return servers.map((server) => {
    const place = placeOf.get(server.serverId)
    const found = place === undefined ? null : (column?.[place] ?? null)
    return {
      server,
      value: found !== null && reading.isRest ? Math.min(1, Math.max(0, 1 - found)) : found,
      group: place === undefined ? null : (latest?.groups?.[place] ?? null),
      isSilent: freshnessOf(server.lastSeenMs, referenceMs) === 'stale',
    }
  })
}

/** The least of the rest is the most of the whole. */
export function readAggregation({ aggregation, isRest }: Reading): Aggregation {
  if (!isRest) return aggregation
  return aggregation === 'max' ? 'min' : aggregation === 'min' ? 'max' : 'avg'
}

export interface RowFilter {
  /** Every word of it is somewhere in the name or the group. */
  readonly query: string
  readonly isSilentOnly: boolean
}

export function matchesRow(row: FleetRow, { query, isSilentOnly }: RowFilter): boolean {
  if (isSilentOnly && !row.isSilent) return false
  if (query === '') return true
  const text = `${row.server.serverId} ${row.group ?? ''}`.toLowerCase()
  return query
    .toLowerCase()
    .split(/\s+/)
    .every((word) => text.includes(word))
}

/** Of rows in the order of names. Those without a value come last, whichever way. */
export function sortRows(rows: readonly FleetRow[], { column, isDescending }: Sort): FleetRow[] {
  const sign = isDescending ? -1 : 1
  if (column === 'name') return isDescending ? rows.toReversed() : [...rows]
  if (column === 'seen') return rows.toSorted((a, b) => sign * (a.server.lastSeenMs - b.server.lastSeenMs))
  return rows.toSorted((a, b) => {
    if (a.value === null || b.value === null) return Number(a.value === null) - Number(b.value === null)
    return sign * (a.value - b.value)
  })
}
