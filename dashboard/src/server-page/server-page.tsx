/**
 * One server: all its metrics over one stretch of time, in sections by topic, followed live. What is shown is in the address:
 * `?range=1h`, or `from` and `to` while zoomed, and `filter`.
 */
import { useDocumentTitle } from '@mantine/hooks'
import { useQuery } from '@tanstack/react-query'
import { useMemo, useRef } from 'react'
import { Link, useLocation, useSearch } from 'wouter'
import { ApiFailure, readMetrics } from '../api.ts'
import { useKeys } from '../keys.ts'
import { asSentence, Notice } from '../notice.tsx'
import { useNow } from '../now.ts'
import { groupSeries, matchesFilter, sectionsOf } from '../sections.ts'
import { neighbour, rangeOf, readView, resetZoom, type View, windowOf, writeView, zoom } from '../time-range.ts'
import { PageHead } from './page-head.tsx'
import { SectionPanel } from './section-panel.tsx'
import { Toolbar } from './toolbar.tsx'
import { useLive } from './use-live.ts'
import './server-page.css'

const refreshMs = 60_000
const retryMs = 5_000
const tickMs = 5_000

export function ServerPage({ serverId }: { serverId: string }) {
  const search = useSearch()
  const [path, navigate] = useLocation()
  const view = useMemo(() => readView(search), [search])
  const filter = new URLSearchParams(search).get('filter') ?? ''
  const filterBox = useRef<HTMLInputElement>(null)
  const live = useLive(serverId)
  const nowMs = useNow(tickMs) + live.tail.skewMs
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

  const list = useQuery({
    queryKey: ['metrics', serverId],
    queryFn: ({ signal }) => readMetrics(serverId, signal),
    refetchInterval: ({ state }) => (state.error === null ? refreshMs : retryMs),
  })
  const metrics = useMemo(() => groupSeries(list.data?.metrics ?? []), [list.data])
  const sections = useMemo(
    () => sectionsOf(metrics.filter((metric) => matchesFilter(metric, filter))),
    [metrics, filter],
  )
  const lastSeenMs = Math.max(live.lastSeenMs, 0, ...metrics.map((metric) => metric.lastSeenMs))
  const isUnknown = list.error instanceof ApiFailure && list.error.id === 'server-not-found'

  return (
    <>
      <PageHead serverId={serverId} live={live} lastSeenMs={lastSeenMs} nowMs={nowMs} />
      <Toolbar
        ref={filterBox}
        view={view}
        filter={filter}
        sections={sections}
        onView={show}
        onFilter={setFilter}
        nowMs={nowMs}
      />
      {list.error !== null && (
        <Notice tone="bad" onRetry={() => void list.refetch()} isRetrying={list.isFetching}>
          {asSentence(list.error.message)} Trying again every {retryMs / 1000} s.{' '}
          {isUnknown && 'A new server appears when its first minute is stored, 10 s after that minute ends. '}
          {isUnknown && <Link href="/">All servers</Link>}
        </Notice>
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
          nowMs={nowMs}
          onZoom={(from, to) => show(zoom(view, from, to), view.kind === 'between')}
          onResetZoom={undoZoom}
        />
      ))}
    </>
  )
}
