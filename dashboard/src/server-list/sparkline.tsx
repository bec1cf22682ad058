/**
 * A ratio (0..1) over the last hour as a small line on a fixed scale, so that rows can be compared, with its newest value beside
 * it. Gaps stay gaps.
 */
import { useComputedColorScheme } from '@mantine/core'
import { lineColor } from '../palette.ts'
import { formatValue } from '../unit.ts'
import './server-list.css'

interface SparklineProps {
  readonly name: string
  readonly values: readonly (number | null)[] | undefined
  readonly isLoading: boolean
  readonly colorIndex: number
}

const width = 128
const height = 26

export function Sparkline({ name, values, isLoading, colorIndex }: SparklineProps) {
  const scheme = useComputedColorScheme('light', { getInitialValueInEffect: false })
  const seen = values?.filter((value) => value !== null) ?? []
  const latest = seen.at(-1)
  if (latest === undefined || values === undefined) {
    return (
      <span className="spark" title={isLoading ? undefined : `No ${name} in the last hour`}>
        <span className={isLoading ? 'bone spark-line' : 'spark-line'} />
        <span className="spark-value dim">{isLoading ? '' : '–'}</span>
      </span>
    )
  }
  const label = `${name}, last hour: latest ${formatValue(latest, 'ratio')}, highest ${formatValue(Math.max(...seen), 'ratio')}`
  const color = lineColor(scheme, colorIndex)
  return (
    <span className="spark" title={label}>
      <svg
        className="spark-line"
        viewBox={`0 0 ${width} ${height}`}
        preserveAspectRatio="none"
        role="img"
        aria-label={label}
      >
        <path d={area(values)} fill={color} opacity="0.16" />
        <path d={line(values)} fill="none" stroke={color} strokeWidth="1.4" vectorEffect="non-scaling-stroke" />
      </svg>
      <span className="spark-value">{formatValue(latest, 'ratio')}</span>
    </span>
  )
}

/** Runs of slots that have a value, as drawn points. */
function runs(values: readonly (number | null)[]): [x: number, y: number][][] {
  const found: [number, number][][] = [[]]
  values.forEach((value, slot) => {
    if (value === null) found.push([])
    else {
      const y = height - 1 - Math.min(1, Math.max(0, value)) * (height - 3)
      found.at(-1)?.push([((slot + 0.5) / values.length) * width, y])
    }
  })
  return found.filter((run) => run.length > 0)
}

function line(values: readonly (number | null)[]): string {
  return runs(values)
    .map((run) => `M${run.map(([x, y]) => `${x.toFixed(1)} ${y.toFixed(1)}`).join('L')}${run.length === 1 ? 'h1' : ''}`)
    .join('')
}

function area(values: readonly (number | null)[]): string {
  return runs(values)
    .map((run) => {
      const [first = 0] = run[0] ?? []
      const [last = 0] = run.at(-1) ?? []
      const top = run.map(([x, y]) => `${x.toFixed(1)} ${y.toFixed(1)}`).join('L')
      return `M${first.toFixed(1)} ${height}L${top}L${last.toFixed(1)} ${height}Z`
    })
    .join('')
}
