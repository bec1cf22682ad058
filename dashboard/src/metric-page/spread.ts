/** The columns of a summary as the page draws and reads them. */
import type { LineColor } from '../chart.tsx'
import type { Band } from '../chart-data.ts'
import { formatValue, type Unit } from '../unit.ts'
import type { MetricData } from './metric-query.ts'

type Slots = readonly (number | null)[]

export interface Spread {
  /** 5 % to 95 % of the servers. */
  readonly outer: Band
  /** 25 % to 75 %. */
  readonly inner: Band
  readonly median: Slots
  /** Servers (or series) that have a value; null where none has. */
  readonly count: Slots
  /** Steps that have a median. */
  readonly points: number
  readonly lastSlotMs: number | undefined
  readonly lastSlot: number | undefined
  readonly countText: string
}

export interface SpreadLine {
  readonly key: string
  readonly name: string
  readonly color: LineColor
  readonly values: Slots
}

export function spreadOf({ summary, startMs, stepMs }: MetricData): Spread {
  const of = (quantile: number): Slots => summary.quantiles.find((one) => one.quantile === quantile)?.values ?? []
  const median = of(0.5)
  const lastSlot = median.findLastIndex((value) => value !== null)
  // Nobody is a gap like any other: a line along zero would say that somebody counted.
  const count = (summary.across.count ?? []).map((servers) => (servers === 0 ? null : servers))
  const latest = lastSlot < 0 ? undefined : count[lastSlot]
  return {
    outer: { upper: of(0.95), lower: of(0.05) },
    inner: { upper: of(0.75), lower: of(0.25) },
    median,
    count,
    points: median.filter((value) => value !== null).length,
    lastSlotMs: lastSlot < 0 ? undefined : startMs + lastSlot * stepMs,
    lastSlot: lastSlot < 0 ? undefined : lastSlot,
    countText: `Servers that sent, latest: ${latest ?? 'none'}`,
  }
}

/** The chart in words. */
export function spreadText(metricId: string, spread: Spread, unit: Unit): string {
  const { lastSlot, median, outer, count } = spread
  if (lastSlot === undefined) return `${metricId} across servers: no samples in this range`
  const text = (slots: Slots) => formatValue(slots[lastSlot], unit)
  return (
    `${metricId} across servers, latest: median ${text(median)}, 90 % between ${text(outer.lower)} and ` +
    `${text(outer.upper)}, ${count[lastSlot] ?? 0} servers`
  )
}
