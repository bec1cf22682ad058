/** The charts of a comparison: one per metric with a line per server, or server after server. */
import { useMemo } from 'react'
import { Link } from 'wouter'
import type { Annotations } from '../annotations/use-annotations.ts'
import { noCorrections } from '../corrections.ts'
import { LinesCard } from '../lines-card.tsx'
import { MetricCard } from '../server-page/metric-card.tsx'
import { useMarks } from '../use-marks.ts'
import { type ViewControl, viewSearch } from '../use-view.ts'
import { type ComparedMetric, comparedMetrics, type ServerColumns } from './compare-data.ts'
import type { CompareData } from './compare-query.ts'
import type { CompareView } from './compare-view.ts'

interface ComparedChartsProps {
  readonly data: CompareData | undefined
  readonly compared: CompareView
  readonly annotations: Annotations
  readonly control: ViewControl
  readonly syncKey: string
  readonly hasFailed: boolean
}

/** Of one page; more is no comparison any more. */
const chartsMax = 120

export function ComparedCharts(props: ComparedChartsProps) {
  const { data, compared, hasFailed } = props
  const servers = useMemo(
    () => data?.servers.flatMap(({ serverId, range }) => (range === undefined ? [] : [{ serverId, range }])),
    [data],
  )
  if (servers === undefined) {
    return <div className="cards compare-coming">{!hasFailed && <div className="card compare-bone bone" />}</div>
  }
  if (servers.every(({ range }) => range.columns.length === 0)) {
    return <p className="page-wait">None of these servers has a metric that matches in this range.</p>
  }
  return compared.by === 'metric' ? (
    <ByMetric {...props} servers={servers} />
  ) : (
    <ByServer {...props} servers={servers} />
  )
}

type ShownProps = ComparedChartsProps & { readonly servers: readonly ServerColumns[] }

function ByMetric({ servers, ...props }: ShownProps) {
  const { serverIds } = props.compared
  const charts = useMemo(() => comparedMetrics(servers, serverIds), [servers, serverIds])
  return (
    <>
      <h2 className="hidden-text">Metrics</h2>
      <div className="cards compare-cards" data-stale={props.hasFailed}>
        {charts.slice(0, chartsMax).map((chart) => (
          <ComparedCard key={chart.key} chart={chart} servers={servers} {...props} />
        ))}
      </div>
      <More count={charts.length - chartsMax} />
    </>
  )
}

function ComparedCard({ chart, servers, ...props }: ShownProps & { chart: ComparedMetric }) {
  const { data, compared, annotations, control, syncKey, hasFailed } = props
  const { metricId, labels, lines } = chart
  const { serverIds } = compared
  const corrections = data?.corrections ?? noCorrections
  return (
    <LinesCard
      metricId={metricId}
      lines={lines}
      labels={labels}
      names={serverIds}
      isNamed
      grid={servers[0]?.range}
      hasFailed={hasFailed}
      marks={useMarks({ annotations, corrections, metricId, serverIds })}
      control={control}
      syncKey={syncKey}
    />
  )
}

function ByServer({ servers, ...props }: ShownProps) {
  const { data, annotations, control, syncKey, hasFailed } = props
  return servers.map(({ serverId, range }) => {
    const metricIds = [...new Set(range.columns.map(({ metricId }) => metricId))]
    return (
      <section key={serverId} className="section" aria-label={serverId}>
        <h2>
          <Link href={`/servers/${encodeURIComponent(serverId)}?${viewSearch(control.view)}`}>{serverId}</Link>{' '}
          <span className="dim">{metricIds.length}</span>
        </h2>
        <div className="cards" data-stale={hasFailed}>
          {metricIds.slice(0, chartsMax).map((metricId) => (
            <MetricCard
              key={metricId}
              metric={{
                metricId,
                labelSets: range.columns.filter((column) => column.metricId === metricId).map(({ labels }) => labels),
                lastSeenMs: range.endMs,
              }}
              range={range}
              hasFailed={hasFailed}
              corrections={data?.corrections ?? noCorrections}
              annotations={annotations}
              control={control}
              syncKey={syncKey}
            />
          ))}
        </div>
        <More count={metricIds.length - chartsMax} />
      </section>
    )
  })
}

function More({ count }: { count: number }) {
  if (count <= 0) return null
  return <p className="page-wait dim">{count} more charts are left out: narrow the metrics to see them.</p>
}
