/** What the simulated database holds, and under which keys; in the words of schema/sql. */
import type { LogAnchor, LogGap, LogPartition } from '@minutely/lib/sample-log/sample-log'
import type { SimDatabase } from './sim-database.ts'
import { nameOf } from './sim-log-storage.ts'

export interface SeriesRow {
  readonly seriesId: number
  readonly tag: number
}

export interface ProgressRow {
  readonly position: number
  readonly completeThroughMs: number
  readonly anchor: LogAnchor | undefined
  /** updated_at, microseconds. */
  readonly versionUs: number
}

export interface RingRow {
  readonly epoch: string
  readonly runId: string | undefined
}

/** Of a span of minutes that is sealed, or was begun to be. */
export interface SealRow {
  readonly state: 'sealing' | 'sealed'
  readonly dirty: boolean
  readonly triedAtMs: number
}

export interface GapRow extends LogGap {
  readonly partition: LogPartition
}

export const ringKey = 'ring'
export const nextSeriesIdKey = 'next-series-id'
export const gapPrefix = 'gap '
export const progressPrefix = 'progress '
export const minutePrefix = 'minute '
export const seriesPrefix = 'series '
export const blockPrefix = 'block '
export const sealPrefix = 'seal '

export const progressKey = (partition: LogPartition): string => progressPrefix + nameOf(partition)
export const seriesKeyOf = (identity: string): string => seriesPrefix + identity
/** Of a series' span; spans are numbered from 1970. */
export const blockKey = (seriesId: number, span: number): string => `${blockPrefix}${seriesId} ${span}`
export const sealKey = (span: number): string => `${sealPrefix}${span}`
/** An advisory lock: flushes share it, the sealer takes it alone. */
export const spanLock = (span: number): string => `span-lock ${span}`
export const minuteKey = (seriesId: number, minuteMs: number): string => `${minutePrefix}${seriesId} ${minuteMs}`

export function ringRow(source: { get<T>(key: string): T | undefined }): RingRow {
  return source.get<RingRow>(ringKey) ?? { epoch: '1', runId: undefined }
}

/** The least over all partitions; 0 when there is none. */
export function completeThroughMs(database: SimDatabase): number {
  const rows = database.entries<ProgressRow>(progressPrefix)
  return rows.length === 0 ? 0 : Math.min(...rows.map(([, row]) => row.completeThroughMs))
}

/** What follows the prefix. */
export function numbersOf(key: string, prefix: string): number[] {
  return key.slice(prefix.length).split(' ').map(Number)
}
