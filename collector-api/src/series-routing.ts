/**
 * Which rows of a block go to which partition of the log. The log decides by metric and server (one topic a metric in Kafka,
 * one topic for all when embedded); a series list is routed once and its answer kept beside its verdict.
 *
 *     list  a b c d     routes  a→T1 b→T2 c→T1 d→T2      parts  T1: rows 0 2, list (a c)    T2: rows 1 3, list (b d)
 */
import type { LogPartition, SampleLog } from '@minutely/lib/sample-log/sample-log'
import { encodeSeriesList, type SampleSection } from '@minutely/schema/sample-codec'
import type { SeriesRef } from '@minutely/schema/series-identity'

export type SeriesRouting =
  | { readonly kind: 'one'; readonly partition: LogPartition }
  | { readonly kind: 'many'; readonly parts: readonly RoutingPart[] }

interface RoutingPart {
  readonly partition: LogPartition
  /** Of the block's matrix, ascending. */
  readonly rows: readonly number[]
  /** encodeSeriesList of those rows. */
  readonly list: Buffer
}

/** What linger.ts takes: a canonical section and where its rows go. */
export interface RoutedSection {
  readonly section: SampleSection
  readonly routing: SeriesRouting
}

export interface PartitionSection {
  readonly partition: LogPartition
  readonly gathered: SampleSection
}

const float64Bytes = 8

/** `series` has at least one. */
export function routeSeries(
  owner: { tenantId: string; serverId: string },
  series: readonly SeriesRef[],
  deps: { sampleLog: Pick<SampleLog, 'route'> },
): SeriesRouting {
  const partitionOf = new Map<string, LogPartition>()
  const parts = new Map<string, { partition: LogPartition; rows: number[] }>()
  for (const [row, { metricId }] of series.entries()) {
    let partition = partitionOf.get(metricId)
    if (partition === undefined) {
      partition = deps.sampleLog.route({ tenantId: owner.tenantId, serverId: owner.serverId, metricId })
      partitionOf.set(metricId, partition)
    }
    const key = partitionKey(partition)
    const part = parts.get(key) ?? { partition, rows: [] }
    parts.set(key, part)
    part.rows.push(row)
  }
  const [only, ...others] = parts.values()
  if (only !== undefined && others.length === 0) return { kind: 'one', partition: only.partition }
  const listOf = (rows: readonly number[]): Buffer => encodeSeriesList(rows.map((row) => series[row] as SeriesRef))
  return {
    kind: 'many',
    parts: [...parts.values()].map(({ partition, rows }) => ({ partition, rows, list: listOf(rows) })),
  }
}

export function splitByRouting({ section, routing }: RoutedSection): PartitionSection[] {
  if (routing.kind === 'one') return [{ partition: routing.partition, gathered: section }]
  const rowBytes = section.slotCount * float64Bytes
  return routing.parts.map(({ partition, rows, list }) => {
    const values = Buffer.allocUnsafe(rows.length * rowBytes)
    for (const [index, row] of rows.entries()) {
      values.set(section.values.subarray(row * rowBytes, (row + 1) * rowBytes), index * rowBytes)
    }
    return { partition, gathered: { ...section, series: list, values } }
  })
}

export function partitionKey({ topic, partition }: LogPartition): string {
  return `${topic} ${partition}`
}

/** Roughly what a routing holds in memory, for the cache's bound: lists, row numbers, and about 200 B of objects a part. */
export function routingBytes(routing: SeriesRouting): number {
  if (routing.kind === 'one') return 200
  return routing.parts.reduce((sum, { rows, list }) => sum + list.length + rows.length * float64Bytes + 200, 200)
}
