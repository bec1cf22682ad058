/**
 * The load of the topics benchmark: the same hosts with the same number of series in every case, spread over few or many
 * metrics. Pure.
 *
 *   20 metrics     each host has all of them, with 10 label sets each (200 series)
 *   2,000 metrics  each host has 200 of them; the next host has the next 200
 *
 * So requests, samples and bytes are alike in all cases, and only the number of topics differs.
 */
import type { LogPartition } from '@minutely/lib/sample-log/sample-log'
import { encodeSeriesList, type SampleSection } from '@minutely/schema/sample-codec'
import type { SeriesRef } from '@minutely/schema/series-identity'

export const batchSeconds = 15
const float64Bytes = 8

export interface LoadShape {
  readonly hostCount: number
  readonly seriesPerHost: number
  readonly metricCount: number
}

/** What a collector remembers of a host's series list, and the host's next batch. */
export interface LoadHost {
  readonly serverId: string
  /** Rows x 15 little-endian float64. */
  readonly values: Buffer
  readonly parts: readonly HostPart[]
}

interface HostPart {
  readonly partition: LogPartition
  readonly rows: readonly number[]
  /** encodeSeriesList of those rows. */
  readonly list: Buffer
}

export function metricIds({ metricCount }: Pick<LoadShape, 'metricCount'>): string[] {
  return Array.from({ length: metricCount }, (_, metric) => metricId(metric))
}

export function seriesOf(host: number, { seriesPerHost, metricCount }: LoadShape): SeriesRef[] {
  const ownCount = Math.min(seriesPerHost, metricCount)
  return Array.from({ length: seriesPerHost }, (_, row) => {
    const labels: Record<string, string> = ownCount < seriesPerHost ? { device: `d${Math.floor(row / ownCount)}` } : {}
    return { metricId: metricId((host * ownCount + (row % ownCount)) % metricCount), labels }
  })
}

export function loadHost(host: number, shape: LoadShape, route: (series: Route) => LogPartition): LoadHost {
  const serverId = `host-${String(host).padStart(5, '0')}`
  const series = seriesOf(host, shape)
  const values = new Float64Array(series.length * batchSeconds)
  for (const index of values.keys()) values[index] = ((host * 7_919 + index * 104_729) % 10_000) / 100
  const parts = new Map<string, { partition: LogPartition; rows: number[] }>()
  for (const [row, ref] of series.entries()) {
    const partition = route({ tenantId: 'bench', serverId, metricId: ref.metricId })
    const part = parts.get(keyOf(partition)) ?? { partition, rows: [] }
    parts.set(keyOf(partition), part)
    part.rows.push(row)
  }
  const listOf = (rows: readonly number[]): Buffer => encodeSeriesList(rows.map((row) => series[row] as SeriesRef))
  return {
    serverId,
    values: Buffer.from(values.buffer),
    parts: [...parts.values()].map((part) => ({ ...part, list: listOf(part.rows) })),
  }
}

/** The sections of one batch of a host, one a partition, as a collector cuts them. */
export function sectionsOf(
  { serverId, values, parts }: LoadHost,
  startMs: number,
): { partition: LogPartition; section: SampleSection }[] {
  const rowBytes = batchSeconds * float64Bytes
  return parts.map(({ partition, rows, list }) => {
    const own = Buffer.allocUnsafe(rows.length * rowBytes)
    for (const [index, row] of rows.entries()) values.copy(own, index * rowBytes, row * rowBytes, (row + 1) * rowBytes)
    const grid = { startMs, stepMs: 1_000, slotCount: batchSeconds }
    return { partition, section: { tenantId: 'bench', serverId, ...grid, series: list, values: own } }
  })
}

export function keyOf({ topic, partition }: LogPartition): string {
  return `${topic}/${partition}`
}

type Route = { tenantId: string; serverId: string; metricId: string }

function metricId(metric: number): string {
  return `app.metric.m${String(metric).padStart(5, '0')}`
}
