/**
 * One server: all its metrics over one stretch of time, in sections by topic, followed live. What is shown is in the address:
 * `?range=1h`, or `from` and `to` while zoomed, and `filter`.
 */
import { useDocumentTitle } from '@mantine/hooks'
import { useEffect, useMemo, useRef } from 'react'
import { Link, useLocation, useSearch } from 'wouter'
import { ago } from '../instant-text.ts'
import { useKeys } from '../keys.ts'
import { asSentence, Notice } from '../notice.tsx'
import { useNow } from '../now.ts'
import { groupSeries, matchesFilter, sectionsOf } from '../sections.ts'
import {
  mendedSearch,
  neighbour,
  rangeOf,
  readView,
  resetZoom,
  type View,
  windowOf,
  writeView,
  zoom,
} from '../time-range.ts'
import { retryMs, useMetrics } from './metrics-query.ts'
import { PageHead } from './page-head.tsx'
import { SectionPanel } from './section-panel.tsx'
import { Toolbar } from './toolbar.tsx'
import { useLive } from './use-live.ts'
import './server-page.css'

const tickMs = 5_000

export function ServerPage({ serverId }: { serverId: string }) {
  const search = useSearch()
  const [path, navigate] = useLocation()
  const view = useMemo(() => readView(search), [search])
  const filter = new URLSearchParams(search).get('filter') ?? ''
  const filterBox = useRef<HTMLInputElement>(null)
  const list = useMetrics(serverId)
  const isKnown = list.data === undefined ? undefined : list.data.kind === 'known'
  const live = useLive(serverId, isKnown === true)
  const clockMs = useNow(tickMs)
  const nowMs = clockMs + live.tail.skewMs
  const { fromMs, toMs, stepMs } = windowOf(view, nowMs)
  const window = useMemo(() => ({ fromMs, toMs, stepMs }), [fromMs, toMs, stepMs])

  const show = (next: View, replace = false) => navigate(`${path}?${writeView(search, next)}`, { replace })
  const undoZoom = () => {
    if (view.kind === 'between') show(resetZoom(view))
  }
  const setFilter = (text: string) => {
    const params = new URLSearchParams(search)
    if (text === '') params.delete('filter')
    else params.set('filter', text)
    navigate(`${path}?${params}`, { replace: true })
  }
  useKeys({
    '/': () => filterBox.current?.focus(),
    '[': () => show(neighbour(view, -1)),
    ']': () => show(neighbour(view, 1)),
    Escape: undoZoom,
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

  useEffect(() => {
    const mended = mendedSearch(search)
    if (mended !== undefined) navigate(`${path}?${mended}`, { replace: true })
  }, [search, path, navigate])

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
      <PageHead serverId={serverId} live={live} isKnown={isKnown} lastSeenMs={lastSeenMs} nowMs={nowMs} />
      {isKnown !== false && (
        <Toolbar
          ref={filterBox}
          view={view}
          filter={filter}
          sections={sections}
          onView={show}
          onFilter={setFilter}
          nowMs={nowMs}
        >
          {problem}
        </Toolbar>
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
          view={view}
          window={window}
          live={live}
          isStale={isStale}
          nowMs={nowMs}
          onZoom={(from, to) => show(zoom(view, from, to), view.kind === 'between')}
          onResetZoom={undoZoom}
        />
      ))}
    </>
  )
}
