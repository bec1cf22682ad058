/**
 * One metric over all servers: how they are spread, who is highest or lowest, and the way to each of them at the same time. Closed
 * minutes arrive by themselves. What is shown is in the address (metric-view.ts, time-range.ts).
 */
import { useComputedColorScheme } from '@mantine/core'
import { useDocumentTitle } from '@mantine/hooks'
import { useEffect, useMemo, useState } from 'react'
import { Link, useLocation } from 'wouter'
import { useAnnotations } from '../annotations/use-annotations.ts'
import type { Crosshair } from '../chart.tsx'
import { ChartToolbar } from '../chart-toolbar.tsx'
import { noCorrections } from '../corrections.ts'
import { ago, clockNear } from '../instant-text.ts'
import { useKeys } from '../keys.ts'
import { searchState } from '../metric-list/search-state.ts'
import { useNow } from '../now.ts'
import { QueryProblem } from '../query-problem.tsx'
import { rangeOf } from '../time-range.ts'
import { unitOf } from '../unit.ts'
import { useMarks } from '../use-marks.ts'
import { useRefetchWhenLost } from '../use-progress.ts'
import { useView } from '../use-view.ts'
import { unitBy } from './aggregations.ts'
import { MetricControls } from './metric-controls.tsx'
import { MetricHead } from './metric-head.tsx'
import { retryMs, useFacts, useMetric } from './metric-query.ts'
import { facetsOf, type Labels, labelFilters, labelsByDefault, readMetricView } from './metric-view.ts'
import { RankingPanel } from './ranking-panel.tsx'
import { spreadOf } from './spread.ts'
import { SpreadChart } from './spread-chart.tsx'
import { SpreadLegend } from './spread-legend.tsx'
import { useMetricLive } from './use-metric-live.ts'
import { useRankedRows } from './use-ranked-rows.ts'
import './metric-page.css'

const tickMs = 5_000
const noLabels: ReadonlyMap<string, string> = new Map()
const noLabelSets: readonly Labels[] = []

export function MetricPage({ metricId }: { metricId: string }) {
  const clockMs = useNow(tickMs)
  const [skewMs, setSkewMs] = useState(0)
  const nowMs = clockMs + skewMs
  const syncKey = `metric:${metricId}`
  const control = useView(nowMs, syncKey)
  const { view, params, stepMsMin } = control
  const [, navigate] = useLocation()
  useKeys({ '/': () => navigate('/metrics/', { state: searchState }) })
  const scheme = useComputedColorScheme('light', { getInitialValueInEffect: false })
  const [crosshair, setCrosshair] = useState<Crosshair>()
  const [litKey, setLitKey] = useState<string>()
  useDocumentTitle(`${metricId} · ${view.kind === 'last' ? rangeOf(view.range).label : 'zoom'} – Minutely`)

  const facts = useFacts(metricId, nowMs)
  const labelSets = facts.data?.kind === 'known' ? facts.data.labelSets : noLabelSets
  const asked = useMemo(() => readMetricView(params), [params])
  const labels = useMemo(
    () => asked.labels ?? labelsByDefault(facetsOf(labelSets, noLabels)),
    [asked.labels, labelSets],
  )
  const facets = useMemo(() => facetsOf(labelSets, labels), [labelSets, labels])
  const { by, order, n, per } = asked
  const question = {
    metricId,
    view,
    stepMsMin,
    nowMs,
    asked: useMemo(() => ({ by, order, n, per }), [by, order, n, per]),
    labels: useMemo(() => labelFilters(labels), [labels]),
  }
  const isKnown = facts.data?.kind === 'known'
  const metric = useMetric(question, isKnown)
  const progress = useMetricLive(question, { isKnown, refetch: metric.refetch })
  useEffect(() => setSkewMs(progress.skewMs), [progress.skewMs])
  const { data } = metric
  useRefetchWhenLost(progress, metric.refetch)
  const unit = unitBy(by, unitOf(metricId))
  const annotations = useAnnotations(
    useMemo(() => ({ metricId }), [metricId]),
    view,
    nowMs,
  )
  const marks = useMarks({ annotations, corrections: data?.corrections ?? noCorrections, metricId })
  const { rows, lines } = useRankedRows(data, by)
  const lastSlot = useMemo(() => (data === undefined ? undefined : spreadOf(data).lastSlot), [data])
  const slotText =
    data === undefined || crosshair === undefined
      ? 'Latest'
      : clockNear(data.startMs + crosshair.slot * data.stepMs, nowMs)

  const failed = metric.error ?? facts.error
  const retry = () => void (facts.error === null ? metric.refetch() : facts.refetch())
  const hasSeveral =
    per === 'series' || (data !== undefined && data.summary.matchedSeriesCount > data.summary.matchedServerCount)

  if (facts.data?.kind === 'unknown') return <UnknownMetric metricId={metricId} />
  return (
    <>
      <MetricHead
        metricId={metricId}
        progress={progress}
        serverCount={data?.summary.matchedServerCount}
        completeThroughMs={data?.completeThroughMs ?? 0}
        nowMs={nowMs}
        view={view}
      />
      <ChartToolbar
        control={control}
        stepMs={data?.stepMs}
        annotations={annotations}
        nowMs={nowMs}
        syncKey={syncKey}
        offers={
          <MetricControls
            asked={asked}
            labels={labels}
            facets={facets}
            hasSeveral={hasSeveral}
            setParams={control.setParams}
          />
        }
      >
        {failed !== null && (
          <QueryProblem
            error={failed}
            retryMs={retryMs}
            onRetry={retry}
            isRetrying={metric.isFetching || facts.isFetching}
            staleText={data === undefined ? undefined : ago(metric.dataUpdatedAt, clockMs)}
          />
        )}
      </ChartToolbar>
      <div className="metric" data-stale={failed !== null} aria-busy={metric.isFetching}>
        <section className="panel" aria-label="All servers">
          <SpreadLegend scheme={scheme} per={per} correctedCount={marks.correctedMs.length} />
          <SpreadChart
            metricId={metricId}
            data={data}
            hasFailed={failed !== null}
            lines={lines}
            litKey={litKey}
            unit={unit}
            scheme={scheme}
            marks={marks}
            syncKey={syncKey}
            control={control}
            crosshair={crosshair}
            onCrosshair={setCrosshair}
          />
        </section>
        <RankingPanel
          metricId={metricId}
          rows={rows}
          asked={asked}
          unit={unit}
          scheme={scheme}
          view={view}
          slot={crosshair?.slot ?? lastSlot}
          slotText={slotText}
          onLit={setLitKey}
        />
      </div>
    </>
  )
}

function UnknownMetric({ metricId }: { metricId: string }) {
  return (
    <>
      <h1>{metricId}</h1>
      <p className="page-wait">
        No server has sent a metric named <strong>{metricId}</strong> yet. It appears here by itself once one did.{' '}
        <Link href="/metrics/">All metrics</Link>
      </p>
    </>
  )
}
