/**
 * A section and its batches. A batch is read by one request when it comes near the window; if that fails, the message and
 * the retry stand where its charts would be, and the rest of the page goes on.
 */
import { useMemo } from 'react'
import type { Annotations } from '../annotations/use-annotations.ts'
import { noCorrections } from '../corrections.ts'
import { useInView } from '../in-view.ts'
import { ago } from '../instant-text.ts'
import { asSentence, Notice } from '../notice.tsx'
import { slide } from '../range-columns.ts'
import { batchesOf, type Metric, type Section } from '../sections.ts'
import { minuteMs } from '../time-range.ts'
import type { ViewControl } from '../use-view.ts'
import { MetricCard } from './metric-card.tsx'
import { useSeries } from './series-query.ts'
import type { Live } from './use-live.ts'

interface Shared {
  readonly serverId: string
  readonly control: ViewControl
  readonly annotations: Annotations
  readonly syncKey: string
  readonly live: Live
  /** The page says already that Minutely cannot be reached. */
  readonly isStale: boolean
}

interface SectionPanelProps extends Shared {
  readonly section: Section
  readonly nowMs: number
}

/** A series' last seen lags by a minute and is asked for once a minute. */
const listLagMs = 3 * minuteMs
const nearPx = 500

export function SectionPanel({ section, nowMs, ...shared }: SectionPanelProps) {
  const { fromMs } = shared.control.window
  // A metric that began later keeps its chart, empty: zooming must not make charts disappear.
  const isSeen = (metric: Metric) => metric.lastSeenMs + listLagMs > fromMs
  const seenIds = section.metrics
    .filter(isSeen)
    .map(({ metricId }) => metricId)
    .join()
  // biome-ignore lint/correctness/useExhaustiveDependencies: the list is new every minute, its batches only when it differs
  const batches = useMemo(() => batchesOf(section.metrics.filter(isSeen)), [section.metrics, seenIds])
  const silent = section.metrics.filter((metric) => !isSeen(metric))
  return (
    <section className="section" id={section.id} aria-labelledby={`${section.id}-title`}>
      <h2 id={`${section.id}-title`}>
        {section.title} <span className="dim">{section.metrics.length}</span>
      </h2>
      {batches.map((metrics) => (
        <Batch key={metrics.map(({ metricId }) => metricId).join()} metrics={metrics} {...shared} />
      ))}
      {silent.length > 0 && (
        <details className="silent">
          <summary>
            {silent.length === 1 ? '1 metric' : `${silent.length} metrics`} without samples in this range
          </summary>
          <ul>
            {silent.map(({ metricId, lastSeenMs }) => (
              <li key={metricId}>
                {metricId} <span className="dim">last seen {ago(lastSeenMs, nowMs)}</span>
              </li>
            ))}
          </ul>
        </details>
      )}
    </section>
  )
}

type BatchProps = Shared & { readonly metrics: readonly Metric[] }

function Batch({ metrics, serverId, control, annotations, syncKey, live, isStale }: BatchProps) {
  const { ref, inView } = useInView<HTMLDivElement>(nearPx)
  const { view, window, stepMsMin } = control
  const metricIds = useMemo(() => metrics.map(({ metricId }) => metricId), [metrics])
  const series = useSeries(
    { serverId, metricIds, view, stepMsMin },
    { tail: live.tail, liveState: live.state, enabled: inView },
  )
  const { data } = series
  const range = useMemo(() => {
    if (data === undefined) return undefined
    // A live minute may be ahead of our clock's tick; never slide back over it.
    return view.kind === 'last' && window.toMs > data.range.endMs ? slide(data.range, window) : data.range
  }, [data, view, window])

  return (
    <div ref={ref}>
      {series.error !== null && !isStale && (
        <Notice tone="bad" onRetry={() => void series.refetch()} isRetrying={series.isFetching}>
          {asSentence(series.error.message)}
          {data !== undefined && ' The charts below are as they were before.'}
        </Notice>
      )}
      <div className="cards" data-stale={isStale} aria-busy={series.isFetching}>
        {metrics.map((metric) => (
          <MetricCard
            key={metric.metricId}
            metric={metric}
            range={range}
            hasFailed={series.error !== null}
            corrections={data?.corrections ?? noCorrections}
            annotations={annotations}
            control={control}
            syncKey={syncKey}
          />
        ))}
      </div>
    </div>
  )
}
