/** Beside the crosshair: the step's time, and of each line average, lowest, highest and how many samples made them. */
import type { ReactNode } from 'react'
import type { Crosshair } from './chart.tsx'
import type { Line } from './chart-lines.ts'
import { type Marks, marksNear } from './chart-marks.ts'
import { clock, dayAndClock } from './instant-text.ts'
import { lineColor, type Scheme } from './palette.ts'
import { cellAt } from './range-columns.ts'
import { formatValue, type Unit } from './unit.ts'

interface FrameProps {
  readonly crosshair: Crosshair
  readonly slotMs: number
  readonly stepMs: number
  readonly isProvisional: boolean
  readonly plotWidthPx: number
  readonly marks: Marks
}

interface ReadoutProps extends FrameProps {
  readonly lines: readonly Line[]
  readonly scheme: Scheme
  readonly unit: Unit
}

/** Left edge of the plot within the card, and the distance to the crosshair. */
const axisPx = 62
const asidePx = 14
/** Below this there is no room beside the crosshair; the readout then goes below the plot. */
const besidePxMin = 480
const noteCharactersMax = 160

/** Which step, what is in it, and what was noted there. */
export function ReadoutFrame(props: FrameProps & { readonly children: ReactNode }) {
  const { crosshair, slotMs, stepMs, isProvisional, plotWidthPx, marks, children } = props
  const x = axisPx + crosshair.leftPx
  const beside = x > plotWidthPx / 2 ? { right: plotWidthPx - x + asidePx } : { left: x + asidePx }
  const side = plotWidthPx < besidePxMin ? { top: '100%', left: 4, right: 4 } : beside
  const near = marksNear(marks.annotations, { atMs: slotMs + stepMs / 2, msPerPx: crosshair.msPerPx, stepMs })
  const isCorrected = marks.correctedMs.includes(slotMs)
  return (
    <div className="readout" style={side} aria-hidden="true">
      <div className="readout-time">
        {dayAndClock(slotMs)}–{clock(slotMs + stepMs)}
        {isProvisional && <span className="readout-open"> provisional</span>}
        {isCorrected && <span className="readout-note"> corrected late, while you watched</span>}
      </div>
      {children}
      {near.map(({ key, text }) => (
        <p key={key} className="readout-note">
          {text.length > noteCharactersMax ? `${text.slice(0, noteCharactersMax)}…` : text}
        </p>
      ))}
    </div>
  )
}

export function Readout({ lines, scheme, unit, ...frame }: ReadoutProps) {
  const { slot } = frame.crosshair
  return (
    <ReadoutFrame {...frame}>
      <table>
        <thead>
          <tr>
            <th />
            <th>avg</th>
            <th>min</th>
            <th>max</th>
            <th>n</th>
          </tr>
        </thead>
        <tbody>
          {lines.map((line) => {
            const cell = cellAt(line.column, slot)
            return (
              <tr key={line.key}>
                <th>
                  <span className="swatch" style={{ '--swatch': lineColor(scheme, line.colorIndex) }} />
                  {lines.length > 1 && <span className="readout-name">{line.name}</span>}
                </th>
                {cell === undefined ? (
                  <td colSpan={4} className="dim">
                    no samples
                  </td>
                ) : (
                  <>
                    <td>{formatValue(cell.avg, unit)}</td>
                    <td>{formatValue(cell.min, unit)}</td>
                    <td>{formatValue(cell.max, unit)}</td>
                    <td className="dim">{cell.count}</td>
                  </>
                )}
              </tr>
            )
          })}
        </tbody>
      </table>
    </ReadoutFrame>
  )
}
