/**
 * What makes a series itself: (tenant, server, metric, labels).
 *
 * Labels are an unordered map for whoever sends them and sorted by name (UTF-16 code units) everywhere behind the
 * collector, so that equal series have equal keys and equal bytes. Names and values hold no control characters
 * (limits.ts), hence U+0001 can separate the parts of a key without escaping.
 */
import { hash } from 'node:crypto'

export type Labels = Readonly<Record<string, string>>

export interface SeriesRef {
  readonly metricId: string
  readonly labels: Labels
}

const separator = '\u0001'

/** Label pairs sorted by name. */
export function sortedLabels(labels: Labels): [name: string, value: string][] {
  return Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
}

/** The same text for the same (metric, labels), whatever the order of the labels; unique within a server. */
export function seriesKey(series: SeriesRef): string {
  let key = series.metricId
  for (const [name, value] of sortedLabels(series.labels)) key += separator + name + separator + value
  return key
}

/** 128 bits of SHA-256 over tenant, server and series key, as a UUID: the unique key of the dictionary in Postgres. */
export function seriesIdentity(owner: { tenantId: string; serverId: string }, series: SeriesRef): string {
  const text = owner.tenantId + separator + owner.serverId + separator + seriesKey(series)
  const hex = hash('sha256', text, 'hex')
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20, 32)}`
}

/** `metric{name="value"}`, the way people write a series; for messages and logs only. */
export function describeSeries(series: SeriesRef): string {
  const pairs = sortedLabels(series.labels).map(([name, value]) => `${name}=${JSON.stringify(value)}`)
  return pairs.length === 0 ? series.metricId : `${series.metricId}{${pairs.join(',')}}`
}
