/** Which metric, of how many servers, and how current what follows is. */
import { Link } from 'wouter'
import { timeZoneText } from '../instant-text.ts'
import { CompleteThrough, LiveText } from '../live-text.tsx'
import type { View } from '../time-range.ts'
import type { Progress } from '../use-progress.ts'
import { viewSearch } from '../use-view.ts'

interface MetricHeadProps {
  readonly metricId: string
  readonly progress: Progress
  readonly serverCount: number | undefined
  readonly completeThroughMs: number
  readonly nowMs: number
  readonly view: View
}

export function MetricHead({ metricId, progress, serverCount, completeThroughMs, nowMs, view }: MetricHeadProps) {
  return (
    <div className="page-head">
      <nav aria-label="Breadcrumb">
        <Link href="/metrics/">Metrics</Link>
        <span aria-hidden="true"> / </span>
      </nav>
      <h1>{metricId}</h1>
      <LiveText progress={progress} />
      <Link href={`/compare?${viewSearch(view, { metric: metricId })}`}>Compare with…</Link>
      <dl className="page-facts metric-facts">
        <div>
          <dt>Servers</dt>
          <dd>{serverCount ?? '–'}</dd>
        </div>
        <CompleteThrough completeThroughMs={completeThroughMs} nowMs={nowMs} />
        <div>
          <dt>Times in</dt>
          <dd>{timeZoneText(nowMs)}</dd>
        </div>
      </dl>
    </div>
  )
}
