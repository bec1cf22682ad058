/** What a chart of one line reads: average, lowest and highest of the newest step, or of the one at the crosshair. */
import type { Line } from './chart-lines.ts'
import { cellAt } from './range-columns.ts'
import { minuteMs, stepText } from './time-range.ts'
import { formatValue, type Unit } from './unit.ts'

interface SingleFiguresProps {
  readonly line: Line | undefined
  readonly unit: Unit
  readonly slot: number | undefined
  /** It is the newest one, and nobody points at another. */
  readonly isLatest: boolean
  readonly stepMs: number
}

export function SingleFigures({ line, unit, slot, isLatest, stepMs }: SingleFiguresProps) {
  const cell = line === undefined || slot === undefined ? undefined : cellAt(line.column, slot)
  return (
    <div className="card-lines figures">
      <strong>{formatValue(cell?.avg, unit)}</strong>
      {cell !== undefined && (
        <span className="figures-more dim">
          {isLatest && `last ${stepMs === minuteMs ? 'minute' : stepText(stepMs)}: `}
          min {formatValue(cell.min, unit)} · max {formatValue(cell.max, unit)}
        </span>
      )}
    </div>
  )
}
