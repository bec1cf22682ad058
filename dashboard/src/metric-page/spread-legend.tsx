/** What the bands and lines mean, and quietly, that late data changed some of it meanwhile. */
import { lineColor, type Scheme } from '../palette.ts'
import type { SummaryPer } from './aggregations.ts'

interface SpreadLegendProps {
  readonly scheme: Scheme
  readonly per: SummaryPer
  readonly correctedCount: number
}

export function SpreadLegend({ scheme, per, correctedCount }: SpreadLegendProps) {
  const color = lineColor(scheme, 0)
  return (
    <header className="spread-legend">
      <span>
        <span className="swatch swatch-line" style={{ '--swatch': color }} /> Median of all{' '}
        {per === 'server' ? 'servers' : 'series'}
      </span>
      <span>
        <span className="swatch" style={{ '--swatch': `${color}80` }} /> middle half
      </span>
      <span>
        <span className="swatch" style={{ '--swatch': `${color}40` }} /> 5 % to 95 %
      </span>
      <span className="spread-corrected" data-testid="corrected" data-corrected={correctedCount}>
        {correctedCount > 0 && correctedText(correctedCount)}
      </span>
    </header>
  )
}

function correctedText(count: number): string {
  return count === 1 ? '1 point corrected late' : `${count} points corrected late`
}
