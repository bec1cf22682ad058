/**
 * Home: the whole fleet, as a map coloured by one metric and as a list beside it; under /servers the list alone, with more about each
 * server. While servers are few the list leads. The address holds what is shown (fleet-view.ts).
 */
import { useDocumentTitle } from '@mantine/hooks'
import { useCallback, useMemo, useRef } from 'react'
import { useLocation, useSearch } from 'wouter'
import { ago, clock } from '../instant-text.ts'
import { useKeys } from '../keys.ts'
import { asSentence, Notice } from '../notice.tsx'
import { useNow } from '../now.ts'
import { DiskLine } from '../server-list/disk-line.tsx'
import { FirstSamples } from '../server-list/first-samples.tsx'
import { OnlyServer } from '../server-list/only-server.tsx'
import { FleetBody } from './fleet-body.tsx'
import { isPassing, retryMs, serversMax } from './fleet-queries.ts'
import { FleetToolbar } from './fleet-toolbar.tsx'
import { type FleetView, readFleetView, writeFleetView } from './fleet-view.ts'
import { useFleetRows, wallLeadsFrom } from './use-fleet-rows.ts'
import { vitalsGate } from './wide-cells.tsx'
import './fleet.css'

const tickMs = 5_000
const behindMsMax = 4 * 60_000

export function FleetPage({ kind }: { kind: 'wall' | 'list' }) {
  const search = useSearch()
  const [path, navigate] = useLocation()
  const view = useMemo(() => readFleetView(search), [search])
  const searchBox = useRef<HTMLInputElement>(null)
  const browserMs = useNow(tickMs)
  const fleet = useFleetRows(view, { browserMs, isList: kind === 'list' })
  const { list, latest, rows, colouring, progress, silentCount } = fleet
  useDocumentTitle(kind === 'list' ? 'Servers – Minutely' : 'Fleet – Minutely')

  const show = (change: Partial<FleetView>, isStep = false) => {
    const text = writeFleetView(location.search, change)
    navigate(text === '' ? path : `${path}?${text}`, { replace: !isStep })
  }
  const open = useCallback((serverId: string) => navigate(`/servers/${encodeURIComponent(serverId)}`), [navigate])
  useKeys({ '/': () => searchBox.current?.focus(), s: () => show({ isSilentOnly: !view.isSilentOnly }, true) })

  const count = list.data?.servers.length
  const isOnly = count === 1 && list.data?.hasMore === false
  const [only] = list.data?.servers ?? []
  const hasWall = kind === 'wall' && count !== undefined && count > 1
  const error = list.error ?? (hasWall ? latest.error : null)
  const isBehind = progress.completeThroughMs > 0 && fleet.nowMs - progress.completeThroughMs > behindMsMax
  return (
    <div className="fleet" data-kind={kind} data-size={count === undefined || count >= wallLeadsFrom ? 'many' : 'few'}>
      <div className="fleet-head">
        <h1>{kind === 'list' ? 'Servers' : 'Fleet'}</h1>
        <span className="dim" aria-live="polite">
          {count !== undefined && count > 0 && countText(count, silentCount)}
        </span>
        <span className="fleet-asof dim" data-testid="fleet-live" data-live={progress.state}>
          {latest.data !== undefined && latest.data.completeThroughMs > 0 && (
            <>
              <span>Minute until </span>
              {clock(latest.data.endMs)}
            </>
          )}
        </span>
      </div>
      {count !== 0 && (
        <FleetToolbar
          ref={searchBox}
          view={view}
          colouring={colouring}
          exampleId={fleet.exampleId}
          silentCount={silentCount}
          hasWall={count === undefined ? kind === 'wall' : count > 1}
          onView={show}
        />
      )}
      {error !== null && (
        <Notice
          tone="bad"
          onRetry={() => void Promise.all([list.refetch(), latest.refetch()])}
          isRetrying={list.isFetching || latest.isFetching}
        >
          {asSentence(error.message)} {isPassing(error) && `Trying again every ${retryMs / 1000} s.`}
          {rows !== undefined && isPassing(error) && (
            <strong> What you see is stale: as it was {ago(list.dataUpdatedAt, browserMs)}.</strong>
          )}
        </Notice>
      )}
      {error === null && isBehind && (
        <Notice tone="warn">
          Minutes are complete only until {clock(progress.completeThroughMs)}: Minutely is behind, or has just come
          back. What is newer appears by itself.
        </Notice>
      )}
      {error === null && hasWall && view.metricId !== undefined && latest.data?.servers.length === 0 && (
        <Notice tone="calm">
          No server sends <strong>{view.metricId}</strong>
          {view.labels.length > 0 && <> with {view.labels.join(', ')}</>}. Choose another metric, or other labels.
        </Notice>
      )}
      {list.data?.hasMore === true && (
        <Notice tone="warn">These are the first {serversMax.toLocaleString('en')} servers by name.</Notice>
      )}
      {count === 0 && <FirstSamples />}
      {isOnly && only !== undefined && <OnlyServer server={only} nowMs={fleet.nowMs} gate={vitalsGate} />}
      {count !== 0 && !isOnly && (
        <FleetBody
          {...{ kind, view, fleet }}
          isWide={kind === 'list' || (count !== undefined && count < wallLeadsFrom)}
          isStale={error !== null}
          onView={show}
          onOpen={open}
        />
      )}
      {count !== undefined && count > 0 && <DiskLine />}
    </div>
  )
}

function countText(count: number, silentCount: number): string {
  const servers = count === 1 ? '1 server' : `${count.toLocaleString('en')} servers`
  return silentCount === 0 ? servers : `${servers}, ${silentCount.toLocaleString('en')} silent`
}
