/**
 * What the colours mean, and how many servers have which: the bars are the distribution, in the colours of the wall. The ends may be set,
 * and then stay; otherwise they stay as they were found until one asks for them anew.
 */
import { useState } from 'react'
import type { Scheme } from '../palette.ts'
import { formatValue, type Unit } from '../unit.ts'
import { type Domain, histogramOf, levelCount, ramps } from './colour-scale.ts'

interface LegendProps {
  readonly title: string
  readonly unit: Unit
  readonly domain: Domain | undefined
  readonly isFixed: boolean
  /** Where the ends would be now. */
  readonly current: Domain | undefined
  /** Ascending. */
  readonly values: readonly number[]
  readonly scheme: Scheme
  readonly onFix: (domain: Domain | undefined) => void
  readonly onRescale: () => void
}

const partCount = 44
/** Of the length of the scale. */
const movedShareMin = 0.1

export function Legend(props: LegendProps) {
  const { title, unit, domain, isFixed, current, values, scheme, onFix, onRescale } = props
  const [isOpen, setOpen] = useState(false)
  if (domain === undefined) {
    return (
      <div className="legend">
        <span className="legend-title">{title}</span>
      </div>
    )
  }
  const counts = histogramOf(values, domain, partCount)
  const most = Math.max(1, ...counts)
  const { low, high } = domain
  const text = (value: number) => formatValue(value, unit)
  const first = values[0]
  const last = values.at(-1)
  return (
    <div className="legend">
      <span className="legend-title">{title}</span>
      <div className="legend-scale" role="img" aria-label={`Colours from ${text(low)} to ${text(high)}`}>
        <div className="legend-bars" aria-hidden="true">
          {counts.map((count, part) => {
            const level = Math.round(((part + 0.5) / partCount) * (levelCount - 1))
            const color = ramps[scheme].colors[level]
            return (
              // biome-ignore lint/suspicious/noArrayIndexKey: parts have no other name
              <span key={part} style={{ '--swatch': color ?? 'transparent' }}>
                <i style={{ height: `${count === 0 ? 0 : Math.max(12, (100 * count) / most)}%` }} />
              </span>
            )
          })}
        </div>
        <div className="legend-numbers" aria-hidden="true">
          <span>
            {first !== undefined && first < low && '≤ '}
            {text(low)}
          </span>
          <span>{text((low + high) / 2)}</span>
          <span>
            {last !== undefined && last > high && '≥ '}
            {text(high)}
          </span>
        </div>
      </div>
      <span className="legend-mark">
        <i className="legend-silent" /> silent
      </span>
      <span className="legend-mark">
        <i className="legend-none" /> no value
      </span>
      {!isFixed && current !== undefined && hasMoved(domain, current) && (
        <button type="button" className="quiet" onClick={onRescale}>
          Fit to {text(current.low)} – {text(current.high)}
        </button>
      )}
      <button type="button" className="quiet" aria-expanded={isOpen} onClick={() => setOpen(!isOpen)}>
        {isFixed ? 'Scale set' : 'Set scale'}
      </button>
      {isOpen && <ScaleEnds {...{ unit, domain, isFixed, onFix }} onClose={() => setOpen(false)} />}
    </div>
  )
}

interface ScaleEndsProps {
  readonly unit: Unit
  readonly domain: Domain
  readonly isFixed: boolean
  readonly onFix: (domain: Domain | undefined) => void
  readonly onClose: () => void
}

function ScaleEnds({ unit, domain, isFixed, onFix, onClose }: ScaleEndsProps) {
  // People write a share in percent.
  const factor = unit === 'ratio' ? 100 : 1
  const shown = (value: number) => String(Number((value * factor).toPrecision(6)))
  const [low, setLow] = useState(shown(domain.low))
  const [high, setHigh] = useState(shown(domain.high))
  const wanted = { low: Number(low) / factor, high: Number(high) / factor }
  const isRight = low !== '' && high !== '' && wanted.low < wanted.high
  return (
    <form
      className="legend-ends"
      onSubmit={(event) => {
        event.preventDefault()
        if (!isRight) return
        onFix(wanted)
        onClose()
      }}
    >
      <label>
        From <input inputMode="decimal" value={low} onChange={(event) => setLow(event.currentTarget.value)} />
      </label>
      <label>
        to <input inputMode="decimal" value={high} onChange={(event) => setHigh(event.currentTarget.value)} />
      </label>
      {factor === 100 && <span className="dim">%</span>}
      <button type="submit" className="quiet" disabled={!isRight}>
        Set
      </button>
      {isFixed && (
        <button
          type="button"
          className="quiet"
          onClick={() => {
            onFix(undefined)
            onClose()
          }}
        >
          By the values
        </button>
      )}
    </form>
  )
}

function hasMoved(from: Domain, to: Domain): boolean {
  const moved = Math.max(Math.abs(from.low - to.low), Math.abs(from.high - to.high))
  return moved > movedShareMin * (from.high - from.low)
}
