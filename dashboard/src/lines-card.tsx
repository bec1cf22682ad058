/**
 * A chart of some lines of one metric: its name, what its lines are and read now (or at the crosshair), and the chart. The card has its
 * final height from the start, whether its data is there, on its way or failed.
 */
import { useComputedColorScheme } from '@mantine/core'
import { useMemo, useRef, useState } from 'react'
import { Link } from 'wouter'
import { Chart, type Crosshair } from './chart.tsx'
import { chartData, type Grid } from './chart-data.ts'
import { isQuiet, type Lines, pickerRows } from './chart-lines.ts'
import type { Marks } from './chart-marks.ts'
import { useInView } from './in-view.ts'
import { clockNear } from './instant-text.ts'
import { LinePicker } from './line-picker.tsx'
import { lineSummary } from './line-summary.ts'
import { provisionalSlot } from './range-columns.ts'
import { Readout } from './readout.tsx'
import { SingleFigures } from './single-figures.tsx'
import { unitOf } from './unit.ts'
import { type ViewControl, viewSearch } from './use-view.ts'

interface LinesCardProps {
  readonly metricId: string
  readonly lines: Lines
  /** What the lines have in common. */
  readonly labels: string
  /** Names to keep room for. */
  readonly names: readonly string[]
  /** Also a single line is called by its name. */
  readonly isNamed?: boolean
  /** Undefined while its data is on its way. */
  readonly grid: Grid | undefined
  readonly hasFailed: boolean
  readonly marks: Marks
  readonly control: ViewControl
  readonly syncKey: string
}

const nearPx = 400
/** What the lines' names have at least, in two columns and on a phone. */
const wideCardPx = 540
const narrowCardPx = 340

export function LinesCard(props: LinesCardProps) {
  const { metricId, lines, labels, names, isNamed = false, grid, hasFailed, marks, control, syncKey } = props
  const { ref, inView } = useInView<HTMLElement>(nearPx)
  const scheme = useComputedColorScheme('light', { getInitialValueInEffect: false })
  const unit = unitOf(metricId)
  const [crosshair, setCrosshair] = useState<Crosshair>()
  const [isPointed, setPointed] = useState(false)
  const [chosen, setChosen] = useState<ReadonlyMap<string, boolean>>(new Map())
  const plot = useRef<HTMLDivElement>(null)

  const shown = useMemo(() => {
    const wanted = lines.drawn.filter((line) => chosen.get(line.key) ?? !(isQuiet(line) && lines.drawn.length > 1))
    return wanted.length > 0 ? wanted : lines.drawn
  }, [lines, chosen])
  const data = useMemo(() => (grid === undefined ? undefined : chartData(grid, shown)), [grid, shown])
  const rows = useMemo(
    () => ({
      '--rows-wide': pickerRows(names, wideCardPx, unit),
      '--rows-narrow': pickerRows(names, narrowCardPx, unit),
    }),
    [names, unit],
  )
  const isDrawn = inView && data !== undefined && grid !== undefined
  const slot = crosshair?.slot
  const slotMs = slot === undefined || grid === undefined ? undefined : grid.startMs + slot * grid.stepMs
  const lastSlot =
    grid === undefined || data?.lastSlotMs === undefined ? undefined : (data.lastSlotMs - grid.startMs) / grid.stepMs

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
        <h3 title={`${metricId} on all servers`}>
          <Link href={`/metrics/${encodeURIComponent(metricId)}?${viewSearch(control.view)}`}>{metricId}</Link>
        </h3>
        <span className="card-labels dim" title={labels}>
          {labels}
        </span>
        <span className="dim">{slotMs === undefined ? '' : clockNear(slotMs, grid?.endMs ?? slotMs)}</span>
      </header>
      {grid === undefined || data === undefined ? (
        <div className="card-lines" />
      ) : isNamed || lines.drawn.length + lines.rest.length > 1 ? (
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
          stepMs={grid.stepMs}
        />
      )}
      <div
        ref={plot}
        className="card-plot"
        role="img"
        aria-label={grid === undefined ? `${metricId}, loading` : `${metricId}. ${lineSummary(shown, unit)}`}
        onPointerEnter={() => setPointed(true)}
        onPointerLeave={() => setPointed(false)}
      >
        {grid === undefined && !hasFailed && <div className="bone card-bone" />}
        {isDrawn && (
          <Chart
            data={data}
            colors={shown.map(({ colorIndex }) => colorIndex)}
            unit={unit}
            window={{ fromMs: grid.startMs, toMs: grid.endMs }}
            scheme={scheme}
            syncKey={syncKey}
            marks={marks}
            onCrosshair={setCrosshair}
            onZoom={control.zoomTo}
            onResetZoom={control.undoZoom}
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
            stepMs={grid.stepMs}
            isProvisional={crosshair.slot >= provisionalSlot(grid)}
            marks={marks}
            plotWidthPx={plot.current?.clientWidth ?? 0}
          />
        )}
      </div>
    </article>
  )
}
