/** Metrics as rows. Undefined metrics are a list that is still on its way: rows of the same height without content. */
import type { MetricListAnswer } from '@minutely/schema/query-wire'
import { Link } from 'wouter'
import { dayAndClock, seenText } from '../instant-text.ts'
import type { Unit } from '../unit.ts'

interface MetricTableProps {
  readonly metrics: MetricListAnswer['metrics'] | undefined
  readonly nowMs: number
  readonly isStale: boolean
}

const rowsWhileLoading = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]

const unitTexts: Readonly<Record<Unit, string>> = {
  ratio: '%',
  percent: '%',
  bytes: 'B',
  bytesPerSecond: 'B/s',
  perSecond: '/s',
  seconds: 's',
  secondsPerSecond: 's/s',
  milliseconds: 'ms',
  celsius: '°C',
  number: '',
}

export function MetricTable({ metrics, nowMs, isStale }: MetricTableProps) {
  return (
    <table className="metrics" data-stale={isStale} aria-busy={metrics === undefined}>
      <thead>
        <tr>
          <th scope="col">Metric</th>
          <th scope="col">Unit</th>
          <th scope="col" className="metrics-number">
            Servers
          </th>
          <th scope="col" className="metrics-number metrics-wide">
            Series
          </th>
          <th scope="col" className="metrics-number">
            Last seen
          </th>
        </tr>
      </thead>
      <tbody>
        {metrics === undefined
          ? rowsWhileLoading.map((row) => (
              <tr key={row}>
                <td colSpan={5}>
                  <span className="bone" />
                </td>
              </tr>
            ))
          : metrics.map(({ metricId, unit, serverCount, seriesCount, lastSeenMs }) => (
              <tr key={metricId} data-testid="metric-row" data-metric-id={metricId}>
                <th scope="row">
                  <Link href={`/metrics/${encodeURIComponent(metricId)}`}>{metricId}</Link>
                </th>
                <td className="dim">{unitTexts[unit]}</td>
                <td className="metrics-number">{serverCount}</td>
                <td className="metrics-number metrics-wide">{seriesCount}</td>
                <td className="metrics-number" title={lastSeenMs === null ? undefined : dayAndClock(lastSeenMs)}>
                  {lastSeenMs === null ? <span className="dim">not lately</span> : seenText(lastSeenMs, nowMs)}
                </td>
              </tr>
            ))}
      </tbody>
    </table>
  )
}
