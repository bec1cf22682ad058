/** What the formats have in common: a parser gets a line and puts what is in it into the batch. It never throws for what a line holds. */
import type { ImportSeriesTable } from './import-series.ts'
import type { PointBatch } from './point-batch.ts'

export interface ParseContext {
  readonly series: ImportSeriesTable
  batch: PointBatch
  /** Of the line, for messages. */
  lineNumber: number
}

/** How a file's words are to be understood. */
export interface Mapping {
  /** Labels, or columns, the first of which that is there names the server. */
  readonly serverLabels: readonly string[]
  /** Where none of them is there. */
  readonly serverId: string | undefined
  /** CSV: the columns of metric, time and value; the first that is there. */
  readonly metricColumns: readonly string[]
  /** CSV: every line is of this metric, unless a column says otherwise. */
  readonly metricId: string | undefined
  readonly timeColumns: readonly string[]
  readonly valueColumns: readonly string[]
  readonly delimiter: string
  /** Of times that are numbers; auto: by their size. */
  readonly timeUnit: TimeUnit
}

export const timeUnits = ['auto', 's', 'ms', 'us', 'ns'] as const
export type TimeUnit = (typeof timeUnits)[number]

export interface LineParser {
  line(bytes: Buffer, range: { readonly from: number; readonly to: number }): void
}

const perMs = { s: 1e-3, ms: 1, us: 1e3, ns: 1e6 } as const

/** Seconds of the year 5138, or ms of 1973: nothing below is meant as ms, nothing above as seconds. */
const secondsMax = 1e11
const msMax = 1e14
const usMax = 1e17

export function timeToMs(written: number, unit: TimeUnit): number {
  if (unit !== 'auto') return unit === 's' ? written * 1_000 : written / perMs[unit]
  const size = Math.abs(written)
  if (size < secondsMax) return written * 1_000
  if (size < msMax) return written
  return written / (size < usMax ? perMs.us : perMs.ns)
}

export function whereOf({ lineNumber }: ParseContext): string {
  return `line ${lineNumber}`
}
