/** The servers as rows. Undefined servers are a list that is still on its way: rows of the same height without content. */
import type { ServerEntry } from '@minutely/schema/query-wire'
import { Link } from 'wouter'
import type { Gate } from '../gate.ts'
import { useInView } from '../in-view.ts'
import { ago, dayAndClock, isFresh } from '../instant-text.ts'
import { Sparkline } from './sparkline.tsx'
import { useVitals } from './vitals.ts'

interface ServerTableProps {
  readonly servers: readonly ServerEntry[] | undefined
  readonly nowMs: number
  readonly gate: Gate
  readonly isStale?: boolean
}

const rowsWhileLoading = [1, 2, 3, 4, 5, 6]

export function ServerTable({ servers, nowMs, gate, isStale = false }: ServerTableProps) {
  return (
    <table className="list" data-stale={isStale} aria-busy={servers === undefined}>
      <thead>
        <tr>
          <th scope="col">Server</th>
          <th scope="col">State</th>
          <th scope="col">CPU busy, 1 h</th>
          <th scope="col">Memory used, 1 h</th>
          <th scope="col" className="list-number list-wide">
            Series
          </th>
          <th scope="col" className="list-number">
            Last seen
          </th>
        </tr>
      </thead>
      <tbody>
        {servers === undefined
          ? rowsWhileLoading.map((row) => (
              <tr key={row}>
                <td colSpan={6}>
                  <span className="bone" />
                </td>
              </tr>
            ))
          : servers.map((server) => <ServerRow key={server.serverId} server={server} nowMs={nowMs} gate={gate} />)}
      </tbody>
    </table>
  )
}

function ServerRow({ server, nowMs, gate }: { server: ServerEntry; nowMs: number; gate: Gate }) {
  const { ref, inView } = useInView<HTMLTableRowElement>(100)
  const vitals = useVitals(server.serverId, { gate, enabled: inView })
  return (
    <tr ref={ref} data-testid="server-row" data-server-id={server.serverId}>
      <th scope="row">
        <Link href={`/servers/${encodeURIComponent(server.serverId)}`} className="list-link">
          {server.serverId}
        </Link>
      </th>
      <td>
        <Freshness server={server} nowMs={nowMs} />
      </td>
      <td data-label="CPU">
        <Sparkline name="CPU busy" values={vitals.data?.cpuBusy} isLoading={vitals.isPending} colorIndex={0} />
      </td>
      <td data-label="Mem">
        <Sparkline name="Memory used" values={vitals.data?.memoryUsed} isLoading={vitals.isPending} colorIndex={2} />
      </td>
      <td className="list-number list-wide">{server.seriesCount}</td>
      <td className="list-number" title={dayAndClock(server.lastSeenMs)}>
        {ago(server.lastSeenMs, nowMs)}
      </td>
    </tr>
  )
}

export function Freshness({ server, nowMs }: { server: ServerEntry; nowMs: number }) {
  const fresh = isFresh(server.lastSeenMs, nowMs)
  return (
    <span className="state" data-state={fresh ? 'good' : 'warn'}>
      {fresh ? 'Fresh' : 'Stale'}
    </span>
  )
}
