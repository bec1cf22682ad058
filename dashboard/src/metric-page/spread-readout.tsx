/** Beside the crosshair: the step's time, how the servers are spread, and the value of each line that has a colour. */
import type { Crosshair } from '../chart.tsx'
import type { Marks } from '../chart-marks.ts'
import { lineColor, type Scheme } from '../palette.ts'
import { ReadoutFrame } from '../readout.tsx'
import { formatValue, type Unit } from '../unit.ts'
import type { Spread, SpreadLine } from './spread.ts'

interface SpreadReadoutProps {
  readonly spread: Spread
  readonly lines: readonly SpreadLine[]
  readonly scheme: Scheme
  readonly unit: Unit
  readonly crosshair: Crosshair
  readonly slotMs: number
  readonly stepMs: number
  readonly isProvisional: boolean
  readonly plotWidthPx: number
  readonly marks: Marks
}

export function SpreadReadout({ spread, lines, scheme, unit, ...frame }: SpreadReadoutProps) {
  const { slot } = frame.crosshair
  const colored = lines
    .flatMap(({ color, name, values, key }) =>
      typeof color === 'number' ? [{ color, name, value: values[slot], key }] : [],
    )
    .sort((a, b) => (b.value ?? Number.NEGATIVE_INFINITY) - (a.value ?? Number.NEGATIVE_INFINITY))
  const text = (values: readonly (number | null)[]) => formatValue(values[slot], unit)
  const hasAny = (spread.count[slot] ?? null) !== null
  return (
    <ReadoutFrame {...frame}>
      {hasAny ? (
        <table>
          <tbody>
            <tr>
              <th>
                <span className="swatch" style={{ '--swatch': lineColor(scheme, 0) }} />
                <span className="readout-name">median</span>
              </th>
              <td>{text(spread.median)}</td>
            </tr>
            <tr>
              <th>25 % – 75 %</th>
              <td>
                {text(spread.inner.lower)} – {text(spread.inner.upper)}
              </td>
            </tr>
            <tr>
              <th>5 % – 95 %</th>
              <td>
                {text(spread.outer.lower)} – {text(spread.outer.upper)}
              </td>
            </tr>
            <tr>
              <th>servers</th>
              <td>{spread.count[slot]}</td>
            </tr>
            {colored.map(({ key, color, name, value }) => (
              <tr key={key}>
                <th>
                  <span className="swatch" style={{ '--swatch': lineColor(scheme, color) }} />
                  <span className="readout-name">{name}</span>
                </th>
                <td>{formatValue(value, unit)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      ) : (
        <p className="dim">no samples</p>
      )}
    </ReadoutFrame>
  )
}
