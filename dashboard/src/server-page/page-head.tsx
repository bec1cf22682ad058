/** Which server, and how current what follows is: the live connection, the newest data, how far minutes are final. */
import { Link } from 'wouter'
import { clockNear, freshnessOf, seenText, timeZoneText } from '../instant-text.ts'
import type { View } from '../time-range.ts'
import { viewSearch } from '../use-view.ts'
import type { Live } from './use-live.ts'

interface PageHeadProps {
  readonly serverId: string
  readonly live: Live
  /** It has sent something. Undefined while nobody was asked. */
  readonly isKnown: boolean | undefined
  /** 0 until known. */
  readonly lastSeenMs: number
  readonly nowMs: number
  readonly view: View
  readonly filter: string
}

export function PageHead(props: PageHeadProps) {
  const { serverId, live, lastSeenMs, nowMs, view, filter } = props
  const { text, tone, state } = stateOf(props)
  return (
    <div className="page-head">
      <nav aria-label="Breadcrumb">
        <Link href="/">Servers</Link>
        <span aria-hidden="true"> / </span>
      </nav>
      <h1>{serverId}</h1>
      <span className="state" data-state={tone} data-testid="live-state" data-live={state} role="status">
        {text}
      </span>
      <Link href={`/compare?${viewSearch(view, { server: serverId, ...globOf(filter) })}`}>Compare with…</Link>
      <dl className="page-facts">
        <div>
          <dt>Last seen</dt>
          <dd>{lastSeenMs === 0 ? '–' : seenText(lastSeenMs, nowMs)}</dd>
        </div>
        <div title="Every minute before this is final">
          <dt>Complete through</dt>
          <dd>{live.completeThroughMs === 0 ? '–' : clockNear(live.completeThroughMs, nowMs)}</dd>
        </div>
        <div>
          <dt>Times in</dt>
          <dd>{timeZoneText(nowMs)}</dd>
        </div>
      </dl>
    </div>
  )
}

/** What the page is filtered to is what the comparison begins with. */
function globOf(filter: string): { metric?: string } {
  const [word, ...others] = filter.split(/\s+/).filter((one) => /^[\w.*-]+$/.test(one))
  if (word === undefined || others.length > 0) return {}
  return { metric: word.includes('*') ? word : `*${word}*` }
}

function stateOf({ isKnown, live, lastSeenMs, nowMs }: PageHeadProps) {
  if (isKnown === false) return { state: 'unknown', tone: 'calm', text: 'Waiting for its first samples' }
  if (live.state === 'connecting') return { state: 'connecting', tone: 'calm', text: 'Connecting…' }
  if (live.state === 'reconnecting') return { state: 'reconnecting', tone: 'bad', text: 'Reconnecting…' }
  const freshness = lastSeenMs === 0 ? 'live' : freshnessOf(lastSeenMs, nowMs)
  if (freshness === 'stale') return { state: 'stale', tone: 'warn', text: 'Stale: sends nothing' }
  if (freshness === 'late') return { state: 'connected', tone: 'calm', text: 'Late' }
  return { state: 'connected', tone: 'good', text: 'Live' }
}
