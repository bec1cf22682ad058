/** What a chart of one line reads: average, lowest and highest of the newest step, or of the one at the crosshair. */
import type { Line } from '../chart-lines.ts'
import { cellAt } from '../range-columns.ts'
import { formatValue, type Unit } from '../unit.ts'

interface SingleFiguresProps {
  readonly line: Line | undefined
  readonly unit: Unit
  readonly slot: number | undefined
  readonly isLatest: boolean
}

export function SingleFigures({ line, unit, slot, isLatest }: SingleFiguresProps) {
  const cell = line === undefined || slot === undefined ? undefined : cellAt(line.column, slot)
  return (
    <div className="card-lines figures">
      <strong>{formatValue(cell?.avg, unit)}</strong>
      <span className="dim">
        min {formatValue(cell?.min, unit)} · max {formatValue(cell?.max, unit)}
        {isLatest ? ' · latest' : ''}
      </span>
    </div>
  )
}
