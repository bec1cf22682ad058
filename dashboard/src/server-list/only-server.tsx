/** The list when there is exactly one server, as on the first day: large, and one click away. */
import type { ServerEntry } from '@minutely/schema/query-wire'
import { Link } from 'wouter'
import type { Gate } from '../gate.ts'
import { seenText } from '../instant-text.ts'
import { FreshnessState } from './freshness-state.tsx'
import { Sparkline } from './sparkline.tsx'
import { useVitalColumns, useVitals } from './vitals.ts'
import './server-list.css'

export function OnlyServer({ server, nowMs, gate }: { server: ServerEntry; nowMs: number; gate: Gate }) {
  const vitals = useVitals(server.serverId, { gate, enabled: true })
  const { hasCpu, hasMemory } = useVitalColumns([server.serverId], gate)
  return (
    <Link
      href={`/servers/${encodeURIComponent(server.serverId)}`}
      className="only"
      data-testid="server-row"
      data-server-id={server.serverId}
    >
      <span className="only-head">
        <strong>{server.serverId}</strong>
        <FreshnessState server={server} nowMs={nowMs} />
        <span className="dim">
          {server.seriesCount !== undefined && `${server.seriesCount} series, `}last seen{' '}
          {seenText(server.lastSeenMs, nowMs)}
        </span>
        <span className="only-open">Open charts →</span>
      </span>
      {(hasCpu || hasMemory) && (
        <span className="only-vitals">
          {hasCpu && (
            <span>
              <span className="dim">CPU busy, last hour</span>
              <Sparkline name="CPU busy" values={vitals.data?.cpuBusy} isLoading={vitals.isPending} colorIndex={0} />
            </span>
          )}
          {hasMemory && (
            <span>
              <span className="dim">Memory used, last hour</span>
              <Sparkline
                name="Memory used"
                values={vitals.data?.memoryUsed}
                isLoading={vitals.isPending}
                colorIndex={2}
              />
            </span>
          )}
        </span>
      )}
    </Link>
  )
}
