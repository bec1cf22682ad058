/** The list when there is exactly one server, as on the first day: large, one click away, and how to add the next. */
import type { ServerEntry } from '@minutely/schema/query-wire'
import { Link } from 'wouter'
import type { Gate } from '../gate.ts'
import { ago } from '../instant-text.ts'
import { FirstSamples } from './first-samples.tsx'
import { Freshness } from './server-table.tsx'
import { Sparkline } from './sparkline.tsx'
import { useVitals } from './vitals.ts'

export function OnlyServer({ server, nowMs, gate }: { server: ServerEntry; nowMs: number; gate: Gate }) {
  const vitals = useVitals(server.serverId, { gate, enabled: true })
  return (
    <>
      <Link
        href={`/servers/${encodeURIComponent(server.serverId)}`}
        className="only"
        data-testid="server-row"
        data-server-id={server.serverId}
      >
        <span className="only-head">
          <strong>{server.serverId}</strong>
          <Freshness server={server} nowMs={nowMs} />
          <span className="dim">
            {server.seriesCount} series, last seen {ago(server.lastSeenMs, nowMs)}
          </span>
          <span className="only-open">Open charts →</span>
        </span>
        <span className="only-vitals">
          <span>
            <span className="dim">CPU busy, last hour</span>
            <Sparkline name="CPU busy" values={vitals.data?.cpuBusy} isLoading={vitals.isPending} colorIndex={0} />
          </span>
          <span>
            <span className="dim">Memory used, last hour</span>
            <Sparkline
              name="Memory used"
              values={vitals.data?.memoryUsed}
              isLoading={vitals.isPending}
              colorIndex={2}
            />
          </span>
        </span>
      </Link>
      <details className="only-next">
        <summary>Add another server</summary>
        <FirstSamples />
      </details>
    </>
  )
}
