/** The answers of several servers as charts: one for each metric and label set, with a line for each server that has it. */
import { isQuiet, type Line, type Lines, labelsText } from '../chart-lines.ts'
import type { Column, RangeColumns } from '../range-columns.ts'

export interface ServerColumns {
  readonly serverId: string
  readonly range: RangeColumns
}

export interface ComparedMetric {
  readonly key: string
  readonly metricId: string
  readonly labels: string
  readonly lines: Lines
}

/** By metric, then by labels; what is idle last. `serverIds` says which colour is whose, here and everywhere. */
export function comparedMetrics(servers: readonly ServerColumns[], serverIds: readonly string[]): ComparedMetric[] {
  const charts = new Map<string, { column: Column; lines: Line[] }>()
  for (const { serverId, range } of servers) {
    for (const column of range.columns) {
      const chart = charts.get(column.key) ?? { column, lines: [] }
      charts.set(column.key, chart)
      chart.lines.push({ key: serverId, name: serverId, colorIndex: serverIds.indexOf(serverId), column })
    }
  }
  return [...charts]
    .map(([key, { column, lines }]) => ({
      key,
      metricId: column.metricId,
      labels: labelsText(column.labels),
      isQuiet: isQuiet({ column }),
      lines: { drawn: lines, rest: [], shared: {} },
    }))
    .sort(
      (a, b) => compare(a.metricId, b.metricId) || Number(a.isQuiet) - Number(b.isQuiet) || compare(a.labels, b.labels),
    )
    .map(({ key, metricId, labels, lines }) => ({ key, metricId, labels, lines }))
}

function compare(a: string, b: string): number {
  return a.localeCompare(b, 'en', { numeric: true })
}
