/**
 * One metric: its name, what its lines are and read now (or at the crosshair), and the chart. The card has its final height
 * from the start, whether its data is there, on its way or failed.
 */
import { useComputedColorScheme } from '@mantine/core'
import { useMemo, useRef, useState } from 'react'
import { Chart, type Crosshair } from '../chart.tsx'
import { chartData } from '../chart-data.ts'
import { isQuiet, type Lines, labelsText, linesOf, namesOf, pickerRows, sharedLabels } from '../chart-lines.ts'
import { useInView } from '../in-view.ts'
import { clock } from '../instant-text.ts'
import { provisionalSlot, type RangeColumns } from '../range-columns.ts'
import type { Metric } from '../sections.ts'
import { unitOf } from '../unit.ts'
import { LinePicker } from './line-picker.tsx'
import { lineSummary } from './line-summary.ts'
import { Readout } from './readout.tsx'
import { SingleFigures } from './single-figures.tsx'

interface MetricCardProps {
  readonly metric: Metric
  readonly range: RangeColumns | undefined
  readonly hasFailed: boolean
  readonly syncKey: string
  readonly onZoom: (fromMs: number, toMs: number) => void
  readonly onResetZoom: () => void
}

const nearPx = 400
/** What the lines' names have at least, in two columns and on a phone. */
const wideCardPx = 540
const narrowCardPx = 340
const none: Lines = { drawn: [], rest: [], shared: {} }

export function MetricCard({ metric, range, hasFailed, syncKey, onZoom, onResetZoom }: MetricCardProps) {
  const { metricId } = metric
  const { ref, inView } = useInView<HTMLElement>(nearPx)
  const scheme = useComputedColorScheme('light', { getInitialValueInEffect: false })
  const unit = unitOf(metricId)
  const [crosshair, setCrosshair] = useState<Crosshair>()
  const [isPointed, setPointed] = useState(false)
  const [chosen, setChosen] = useState<ReadonlyMap<string, boolean>>(new Map())
  const plot = useRef<HTMLDivElement>(null)

  const lines = useMemo(() => (range === undefined ? none : linesOf(range, metricId)), [range, metricId])
  const shown = useMemo(() => {
    const wanted = lines.drawn.filter((line) => chosen.get(line.key) ?? !(isQuiet(line) && lines.drawn.length > 1))
    return wanted.length > 0 ? wanted : lines.drawn
  }, [lines, chosen])
  const data = useMemo(() => (range === undefined ? undefined : chartData(range, shown)), [range, shown])

  const rows = useMemo(() => {
    const names = [...namesOf(metric.labelSets.map((labels, at) => ({ key: String(at), labels }))).values()]
    return {
      '--rows-wide': pickerRows(names, wideCardPx, unit),
      '--rows-narrow': pickerRows(names, narrowCardPx, unit),
    }
  }, [metric.labelSets, unit])
  const labels = labelsText(lines.drawn.length > 0 ? lines.shared : sharedLabels(metric.labelSets))
  const isDrawn = inView && data !== undefined && range !== undefined
  const slot = crosshair?.slot
  const slotMs = slot === undefined || range === undefined ? undefined : range.startMs + slot * range.stepMs
  const lastSlot =
    range === undefined || data?.lastSlotMs === undefined ? undefined : (data.lastSlotMs - range.startMs) / range.stepMs

  return (
    <article
      ref={ref}
      className="card"
      style={rows}
      data-testid="chart"
      data-metric-id={metricId}
      data-points={isDrawn ? data.points : 0}
      data-last-minute-ms={isDrawn ? data.lastSlotMs : undefined}
    >
      <header className="card-head">
        <h3 title={metricId}>{metricId}</h3>
        <span className="card-labels dim" title={labels}>
          {labels}
        </span>
        <span className="dim">{slotMs === undefined ? '' : clock(slotMs)}</span>
      </header>
      {range === undefined || data === undefined ? (
        <div className="card-lines" />
      ) : lines.drawn.length + lines.rest.length > 1 ? (
        <LinePicker
          lines={lines}
          shown={shown}
          scheme={scheme}
          unit={unit}
          slot={slot ?? lastSlot}
          onChoose={(key, isOn) => setChosen(new Map(chosen).set(key, isOn))}
        />
      ) : (
        <SingleFigures
          line={lines.drawn[0]}
          unit={unit}
          slot={slot ?? lastSlot}
          isLatest={slot === undefined}
          stepMs={range.stepMs}
        />
      )}
      <div
        ref={plot}
        className="card-plot"
        role="img"
        aria-label={range === undefined ? `${metricId}, loading` : `${metricId}. ${lineSummary(shown, unit)}`}
        onPointerEnter={() => setPointed(true)}
        onPointerLeave={() => setPointed(false)}
      >
        {range === undefined && !hasFailed && <div className="bone card-bone" />}
        {isDrawn && (
          <Chart
            data={data}
            colors={shown.map(({ colorIndex }) => colorIndex)}
            unit={unit}
            window={{ fromMs: range.startMs, toMs: range.endMs }}
            scheme={scheme}
            syncKey={syncKey}
            onCrosshair={setCrosshair}
            onZoom={onZoom}
            onResetZoom={onResetZoom}
          />
        )}
        {isDrawn && data.points === 0 && <p className="card-empty dim">No samples in this range</p>}
        {isDrawn && isPointed && crosshair !== undefined && slotMs !== undefined && (
          <Readout
            lines={shown}
            scheme={scheme}
            unit={unit}
            crosshair={crosshair}
            slotMs={slotMs}
            stepMs={range.stepMs}
            isProvisional={crosshair.slot >= provisionalSlot(range)}
            plotWidthPx={plot.current?.clientWidth ?? 0}
          />
        )}
      </div>
    </article>
  )
}
