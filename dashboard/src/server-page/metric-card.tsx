/** One metric of the server: a line for each of its label sets. */
import { useMemo } from 'react'
import type { Annotations } from '../annotations/use-annotations.ts'
import { type Lines, labelsText, linesOf, namesOf, sharedLabels } from '../chart-lines.ts'
import type { Corrections } from '../corrections.ts'
import { LinesCard } from '../lines-card.tsx'
import type { RangeColumns } from '../range-columns.ts'
import type { Metric } from '../sections.ts'
import { useMarks } from '../use-marks.ts'
import type { ViewControl } from '../use-view.ts'

interface MetricCardProps {
  readonly metric: Metric
  readonly range: RangeColumns | undefined
  readonly hasFailed: boolean
  readonly corrections: Corrections
  readonly annotations: Annotations
  readonly control: ViewControl
  readonly syncKey: string
}

const none: Lines = { drawn: [], rest: [], shared: {} }

export function MetricCard({ metric, range, corrections, annotations, ...card }: MetricCardProps) {
  const { metricId, labelSets } = metric
  const lines = useMemo(() => (range === undefined ? none : linesOf(range, metricId)), [range, metricId])
  const names = useMemo(
    () => [...namesOf(labelSets.map((labels, at) => ({ key: String(at), labels }))).values()],
    [labelSets],
  )
  return (
    <LinesCard
      {...card}
      metricId={metricId}
      lines={lines}
      labels={labelsText(lines.drawn.length > 0 ? lines.shared : sharedLabels(labelSets))}
      names={names}
      grid={range}
      marks={useMarks({ annotations, corrections, metricId })}
    />
  )
}
