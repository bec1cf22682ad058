/**
 * What the wall can show: any metric, and how busy the CPUs are, which no metric says by itself: 1 - the share that is idle. That is
 * what it begins with, where servers send it.
 */
import type { MetricListAnswer } from '@minutely/schema/query-wire'
import type { Colouring } from './fleet-queries.ts'
import type { FleetView } from './fleet-view.ts'

/** No metric's id has a space. */
export const busyName = 'CPU busy'

/** For fleets without it, the first that somebody sends. */
const fallbacks = ['system.memory.utilization', 'system.cpu.load_average.1m']

export function colouringOf(view: FleetView): Colouring {
  const { metricId, aggregation, labels } = view
  if (metricId !== undefined) {
    return { title: metricId, metricId, labels, reading: { aggregation, isRest: false } }
  }
  const isShare = aggregation !== 'sum' && aggregation !== 'count'
  return {
    title: busyName,
    metricId: 'system.cpu.utilization',
    labels: ['cpu.mode:idle'],
    reading: { aggregation: isShare ? aggregation : 'avg', isRest: true },
  }
}

/** Instead of CPU busy, where no server sends that. */
export function fallbackOf({ metrics }: MetricListAnswer): string | undefined {
  const ids = metrics.map(({ metricId }) => metricId)
  return fallbacks.find((id) => ids.includes(id)) ?? ids[0]
}

/** The metric, with the values of the labels that were chosen. */
export function captionOf({ title, labels, reading }: Colouring): string {
  if (reading.isRest) return title
  return [title, ...labels.map((label) => label.slice(label.indexOf(':') + 1))].join(' ')
}
