/**
 * The two figures that the list shows of each host, worked out from whatever of the usual metrics it sends: CPU busy as
 * 1 - idle (or the sum of the modes that are not idle), memory in use as a ratio. All ratios 0..1, one slot per minute, null
 * where nothing was seen.
 */
import type { SeriesAnswer, SeriesColumns } from '@minutely/schema/query-wire'

export const vitalMetricIds = ['system.cpu.utilization', 'system.memory.utilization', 'system.memory.usage'] as const

type Slots = readonly (number | null)[]

export interface Vitals {
  readonly startMs: number
  readonly stepMs: number
  /** Undefined when the host does not send what it takes. */
  readonly cpuBusy: Slots | undefined
  readonly memoryUsed: Slots | undefined
}

export function vitalsOf(answer: SeriesAnswer): Vitals {
  const seriesOf = (metricId: string) => answer.series.filter((series) => series.metricId === metricId)
  return {
    startMs: answer.startMs,
    stepMs: answer.stepMs,
    cpuBusy: busy(seriesOf('system.cpu.utilization')),
    memoryUsed: used(seriesOf('system.memory.utilization')) ?? usedOfTotal(seriesOf('system.memory.usage')),
  }
}

function busy(series: readonly SeriesColumns[]): Slots | undefined {
  const idle = series.filter(({ labels }) => Object.values(labels).includes('idle'))
  // Several idle series are several cores.
  if (idle.length > 0) return combine(idle, (values) => share(1 - values.reduce(add, 0) / values.length))
  return series.length === 0 ? undefined : combine(series, (values) => share(values.reduce(add, 0)))
}

function used(series: readonly SeriesColumns[]): Slots | undefined {
  const inUse = series.filter(({ labels }) => Object.values(labels).includes('used'))
  if (inUse[0] !== undefined) return inUse[0].avg
  return series.length === 1 ? series[0]?.avg : undefined
}

function usedOfTotal(series: readonly SeriesColumns[]): Slots | undefined {
  const inUse = used(series)
  if (inUse === undefined || series.length < 2) return undefined
  const total = combine(series, (values) => values.reduce(add, 0))
  return inUse.map((value, slot) => {
    const whole = total[slot] ?? 0
    return value === null || whole <= 0 ? null : value / whole
  })
}

function combine(series: readonly SeriesColumns[], join: (values: readonly number[]) => number): Slots {
  const length = Math.max(0, ...series.map(({ avg }) => avg?.length ?? 0))
  return Array.from({ length }, (_, slot) => {
    const values = series.map(({ avg }) => avg?.[slot] ?? null).filter((value) => value !== null)
    return values.length === 0 ? null : join(values)
  })
}

/** Readings of several counters taken a moment apart may add up to a little more than all. */
function share(value: number): number {
  return Math.min(1, Math.max(0, value))
}

function add(a: number, b: number): number {
  return a + b
}
