/** The lines of a chart right above it: colour, name and value (newest, or at the crosshair). A click hides or shows one. */
import type { Line, Lines } from './chart-lines.ts'
import { lineColor, type Scheme } from './palette.ts'
import { formatValue, type Unit } from './unit.ts'

interface LinePickerProps {
  readonly lines: Lines
  readonly shown: readonly Line[]
  readonly scheme: Scheme
  readonly unit: Unit
  readonly slot: number | undefined
  readonly onChoose: (key: string, isOn: boolean) => void
}

export function LinePicker({ lines, shown, scheme, unit, slot, onChoose }: LinePickerProps) {
  return (
    <div className="card-lines">
      {lines.drawn.map((line) => {
        const isOn = shown.includes(line)
        return (
          <button
            key={line.key}
            type="button"
            className="line"
            aria-pressed={isOn}
            title={`${isOn ? 'Hide' : 'Show'} ${line.name}`}
            onClick={() => onChoose(line.key, !isOn)}
          >
            <span className="swatch" style={{ '--swatch': lineColor(scheme, line.colorIndex) }} />
            <span className="line-name">{line.name}</span>
            <span className="line-value">{formatValue(slot === undefined ? null : line.column.avg[slot], unit)}</span>
          </button>
        )
      })}
      {lines.rest.length > 0 && (
        <span className="line-rest dim" title={lines.rest.slice(0, 100).join('\n')}>
          +{lines.rest.length} more, lower on average
        </span>
      )}
    </div>
  )
}
