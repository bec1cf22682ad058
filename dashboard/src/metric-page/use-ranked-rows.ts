/** The ranked series as rows and as lines; each keeps its colour for as long as it is among the first, also when ranks change. */
import { useMemo, useRef } from 'react'
import type { LineColor } from '../chart.tsx'
import { namesOf } from '../chart-lines.ts'
import { linesMax } from '../palette.ts'
import type { Aggregation } from './aggregations.ts'
import type { MetricData } from './metric-query.ts'
import type { RankedRow } from './ranking-table.tsx'
import type { SpreadLine } from './spread.ts'
import { stickyColors } from './sticky-colors.ts'

/** All of the palette but the first, which is the spread's, and the last, which is grey as those without a colour are. */
const colors = Array.from({ length: linesMax - 2 }, (_, index) => index + 1)

interface Ranked {
  readonly rows: readonly RankedRow[] | undefined
  readonly lines: readonly SpreadLine[]
}

export function useRankedRows(data: MetricData | undefined, by: Aggregation): Ranked {
  const known = useRef<ReadonlyMap<string, number>>(new Map())
  return useMemo(() => {
    if (data === undefined) return { rows: undefined, lines: [] }
    const seen = data.ranked.filter(({ count }) => count.some((samples) => samples !== null))
    const keys = seen.map(({ key }) => key)
    known.current = stickyColors(known.current, keys, colors)
    const isLabelled = new Set(seen.map(({ labels }) => JSON.stringify(labels))).size > 1
    const names = namesOf(seen)
    const rows = seen.map((series) => {
      const color: LineColor = known.current.get(series.key) ?? 'quiet'
      return { series, labels: isLabelled ? (names.get(series.key) ?? '') : '', color }
    })
    // Those that stand back first, so that the others are drawn over them.
    const lines = rows
      .map(({ series, labels, color }) => ({
        key: series.key,
        name: labels === '' ? series.serverId : `${series.serverId} ${labels}`,
        color,
        values: series[by],
      }))
      .sort((a, b) => Number(a.color !== 'quiet') - Number(b.color !== 'quiet'))
    return { rows, lines }
  }, [data, by])
}
