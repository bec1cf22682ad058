/**
 * One metric over all its servers: a band that holds 90 % of them, one that holds the middle half, the median, and the ranked servers as
 * lines; below, how many servers have sent, so that a drop of the median can be told from half the fleet gone. Read at the crosshair.
 */
import { useMemo, useRef } from 'react'
import { type BandColor, Chart, type Crosshair, type LineColor } from '../chart.tsx'
import { gridData } from '../chart-data.ts'
import type { Marks } from '../chart-marks.ts'
import type { Scheme } from '../palette.ts'
import { provisionalSlot } from '../range-columns.ts'
import type { Unit } from '../unit.ts'
import type { ViewControl } from '../use-view.ts'
import type { MetricData } from './metric-query.ts'
import { type SpreadLine, spreadOf, spreadText } from './spread.ts'
import { SpreadReadout } from './spread-readout.tsx'

interface SpreadChartProps {
  readonly metricId: string
  readonly data: MetricData | undefined
  readonly hasFailed: boolean
  readonly lines: readonly SpreadLine[]
  readonly litKey: string | undefined
  readonly unit: Unit
  readonly scheme: Scheme
  readonly marks: Marks
  readonly syncKey: string
  readonly control: ViewControl
  readonly crosshair: Crosshair | undefined
  readonly onCrosshair: (crosshair: Crosshair | undefined) => void
}

/** In the colour that no ranked line has. */
const bands: readonly BandColor[] = [
  { color: 0, alpha: '26' },
  { color: 0, alpha: '40' },
]
const countColors: readonly LineColor[] = ['text']

export function SpreadChart(props: SpreadChartProps) {
  const { metricId, data, lines, litKey, unit, scheme, marks, syncKey, control, crosshair } = props
  const plot = useRef<HTMLDivElement>(null)
  const spread = useMemo(() => (data === undefined ? undefined : spreadOf(data)), [data])
  const spreadData = useMemo(() => {
    if (data === undefined || spread === undefined) return undefined
    const { outer, inner, median } = spread
    return gridData(data, { lines: [...lines.map(({ values }) => values), median], bands: [outer, inner] })
  }, [data, spread, lines])
  const countData = useMemo(
    () =>
      data === undefined || spread === undefined ? undefined : gridData(data, { lines: [spread.count], bands: [] }),
    [data, spread],
  )
  const colors = useMemo((): LineColor[] => [...lines.map(({ color }) => color), 0], [lines])
  const lit = litKey === undefined ? -1 : lines.findIndex(({ key }) => key === litKey)
  const shared = {
    scheme,
    syncKey,
    marks,
    onZoom: control.zoomTo,
    onResetZoom: control.undoZoom,
    window: { fromMs: data?.startMs ?? 0, toMs: data?.endMs ?? 0 },
  }
  const isDrawn = data !== undefined && spreadData !== undefined && spread !== undefined

  return (
    <div
      className="spread"
      data-testid="chart"
      data-metric-id={metricId}
      data-points={spread?.points ?? 0}
      data-lines={lines.length}
      data-last-minute-ms={spread?.lastSlotMs}
      data-corrections={marks.correctedMs.length}
    >
      <div
        ref={plot}
        className="spread-plot"
        role="img"
        aria-label={spread === undefined ? `${metricId}, loading` : spreadText(metricId, spread, unit)}
      >
        {data === undefined && !props.hasFailed && <div className="bone card-bone" />}
        {isDrawn && (
          <Chart
            {...shared}
            data={spreadData}
            colors={colors}
            bands={bands}
            litLine={lit < 0 ? undefined : lit}
            unit={unit}
            onCrosshair={props.onCrosshair}
          />
        )}
        {isDrawn && spread.points === 0 && <p className="card-empty dim">No samples in this range</p>}
        {isDrawn && crosshair !== undefined && (
          <SpreadReadout
            spread={spread}
            lines={lines}
            scheme={scheme}
            unit={unit}
            crosshair={crosshair}
            slotMs={data.startMs + crosshair.slot * data.stepMs}
            stepMs={data.stepMs}
            isProvisional={crosshair.slot >= provisionalSlot(data)}
            plotWidthPx={plot.current?.clientWidth ?? 0}
            marks={marks}
          />
        )}
      </div>
      <div className="spread-count" role="img" aria-label={spread === undefined ? '' : spread.countText}>
        <span className="spread-count-name dim">Servers that sent</span>
        {data !== undefined && countData !== undefined && (
          <Chart {...shared} data={countData} colors={countColors} unit="number" onCrosshair={() => {}} />
        )}
      </div>
    </div>
  )
}
