/** One chart of the page: its lines with their values now (or at the crosshair) above it. Its height is the same with and without data. */
import { useComputedColorScheme } from '@mantine/core'
import { useMemo, useState } from 'react'
import { Chart, type Crosshair } from '../chart.tsx'
import { gridData } from '../chart-data.ts'
import { noMarks } from '../chart-marks.ts'
import { clockNear } from '../instant-text.ts'
import { lineColor } from '../palette.ts'
import { formatValue, type Unit } from '../unit.ts'
import type { ViewControl } from '../use-view.ts'

export interface IngestLine {
  readonly name: string
  /** Into the palette. */
  readonly color: number
  readonly values: readonly (number | null)[]
}

interface IngestChartProps {
  readonly title: string
  readonly lines: readonly IngestLine[]
  readonly unit: Unit
  /** Undefined while its data is on its way. */
  readonly grid:
    | { readonly startMs: number; readonly endMs: number; readonly stepMs: number; readonly completeThroughMs: number }
    | undefined
  /** What stands there when there is no line. */
  readonly empty: string
  readonly control: ViewControl
  readonly syncKey: string
}

export function IngestChart({ title, lines, unit, grid, empty, control, syncKey }: IngestChartProps) {
  const scheme = useComputedColorScheme('light', { getInitialValueInEffect: false })
  const [crosshair, setCrosshair] = useState<Crosshair>()
  const data = useMemo(
    () => (grid === undefined ? undefined : gridData(grid, { lines: lines.map(({ values }) => values), bands: [] })),
    [grid, lines],
  )
  const colors = useMemo(() => lines.map(({ color }) => color), [lines])
  const valueNow = (values: IngestLine['values']): number | null =>
    crosshair === undefined ? (values.findLast((value) => value !== null) ?? null) : (values[crosshair.slot] ?? null)
  const atMs = grid === undefined || crosshair === undefined ? undefined : grid.startMs + crosshair.slot * grid.stepMs
  const said = lines.map(({ name, values }) => `${name} ${formatValue(valueNow(values), unit)}`).join(', ')
  return (
    <article className="card" data-testid="ingest-chart" data-chart={title} data-points={data?.points ?? 0}>
      <header className="card-head">
        <h2 className="ingest-title">{title}</h2>
        <span className="dim">{atMs === undefined ? '' : clockNear(atMs, grid?.endMs ?? atMs)}</span>
      </header>
      <div className="ingest-lines">
        {lines.map(({ name, color, values }) => (
          <span key={name} className="ingest-line">
            <span className="swatch" style={{ '--swatch': lineColor(scheme, color) }} />
            {name} <span className="dim">{formatValue(valueNow(values), unit)}</span>
          </span>
        ))}
      </div>
      <div className="card-plot" role="img" aria-label={`${title}: ${said || empty}`}>
        {grid === undefined && <div className="bone card-bone" />}
        {grid !== undefined && data !== undefined && lines.length > 0 && (
          <Chart
            data={data}
            colors={colors}
            unit={unit}
            window={{ fromMs: grid.startMs, toMs: grid.endMs }}
            scheme={scheme}
            syncKey={syncKey}
            marks={noMarks}
            onCrosshair={setCrosshair}
            onZoom={control.zoomTo}
            onResetZoom={control.undoZoom}
          />
        )}
        {grid !== undefined && (data?.points ?? 0) === 0 && <p className="card-empty dim">{empty}</p>}
      </div>
    </article>
  )
}
