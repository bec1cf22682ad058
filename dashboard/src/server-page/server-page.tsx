/**
 * One server: all its metrics over one stretch of time, in sections by topic, followed live. What is shown is in the address:
 * `?range=1h`, or `from` and `to` while zoomed, and `filter`.
 */
import { useDocumentTitle } from '@mantine/hooks'
import { useEffect, useMemo } from 'react'
import { Link } from 'wouter'
import { useAnnotations } from '../annotations/use-annotations.ts'
import { ChartToolbar } from '../chart-toolbar.tsx'
import { FilterBox } from '../filter-box.tsx'
import { ago } from '../instant-text.ts'
import { asSentence, Notice } from '../notice.tsx'
import { useNow } from '../now.ts'
import { groupSeries, matchesFilter, sectionsOf } from '../sections.ts'
import { rangeOf } from '../time-range.ts'
import { useView } from '../use-view.ts'
import { retryMs, useMetrics } from './metrics-query.ts'
import { PageHead } from './page-head.tsx'
import { SectionJumps } from './section-jumps.tsx'
import { SectionPanel } from './section-panel.tsx'
import { useLive } from './use-live.ts'

const tickMs = 5_000

export function ServerPage({ serverId }: { serverId: string }) {
  const list = useMetrics(serverId)
  const isKnown = list.data === undefined ? undefined : list.data.kind === 'known'
  const live = useLive(serverId, isKnown === true)
  const clockMs = useNow(tickMs)
  const nowMs = clockMs + live.tail.skewMs
  const syncKey = `server:${serverId}`
  const control = useView(nowMs, syncKey)
  const { view } = control
  const annotations = useAnnotations(
    useMemo(() => ({ serverId }), [serverId]),
    view,
    nowMs,
  )
  const filter = control.params.get('filter') ?? ''
  const setFilter = (text: string) =>
    control.setParams((params) => {
      if (text === '') params.delete('filter')
      else params.set('filter', text)
    })
  useDocumentTitle(`${serverId} · ${view.kind === 'last' ? rangeOf(view.range).label : 'zoom'} – Minutely`)

  const metrics = useMemo(() => groupSeries(list.data?.kind === 'known' ? list.data.entries : []), [list.data])
  const sections = useMemo(
    () => sectionsOf(metrics.filter((metric) => matchesFilter(metric, filter))),
    [metrics, filter],
  )
  const lastSeenMs = Math.max(live.lastSeenMs, 0, ...metrics.map((metric) => metric.lastSeenMs))
  const { refetch } = list
  const isLost = live.lostSinceMs !== undefined
  useEffect(() => {
    // Whether Minutely is gone, or only the live connection, shows when it is asked something.
    if (isLost) void refetch()
  }, [isLost, refetch])
  const isStale = list.error !== null && metrics.length > 0

  const problem = list.error !== null && (
    <Notice tone="bad" onRetry={() => void refetch()} isRetrying={list.isFetching}>
      {asSentence(list.error.message)} Trying again every {retryMs / 1000} s.
      {isStale && (
        <strong> What you see is stale: as it was {ago(live.lostSinceMs ?? list.dataUpdatedAt, clockMs)}.</strong>
      )}
    </Notice>
  )

  return (
    <>
      <PageHead
        serverId={serverId}
        live={live}
        isKnown={isKnown}
        lastSeenMs={lastSeenMs}
        nowMs={nowMs}
        view={view}
        filter={filter}
      />
      {isKnown !== false && (
        <ChartToolbar
          control={control}
          annotations={annotations}
          nowMs={nowMs}
          syncKey={syncKey}
          search={<FilterBox label="Filter metrics" value={filter} onChange={setFilter} />}
          offers={<SectionJumps sections={sections} />}
        >
          {problem}
        </ChartToolbar>
      )}
      {isKnown === false && (
        <>
          {problem}
          <p className="page-wait">
            No server named <strong>{serverId}</strong> has sent samples yet. Its charts appear here by themselves,
            seconds after its first sample arrived. <Link href="/">All servers</Link>
          </p>
        </>
      )}
      {list.isPending && <p className="dim page-wait">Reading the list of metrics…</p>}
      {metrics.length > 0 && sections.length === 0 && (
        <p className="page-wait">
          None of the {metrics.length} metrics matches <strong>{filter}</strong>.{' '}
          <button type="button" className="link" onClick={() => setFilter('')}>
            Show all
          </button>
        </p>
      )}
      {sections.map((section) => (
        <SectionPanel
          key={section.id}
          section={section}
          serverId={serverId}
          control={control}
          annotations={annotations}
          syncKey={syncKey}
          live={live}
          isStale={isStale}
          nowMs={nowMs}
        />
      ))}
    </>
  )
}
