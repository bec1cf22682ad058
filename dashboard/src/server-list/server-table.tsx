/** The servers as rows. Undefined servers are a list that is still on its way: rows of the same height without content. */
import type { ServerEntry } from '@minutely/schema/query-wire'
import { Link } from 'wouter'
import type { Gate } from '../gate.ts'
import { useInView } from '../in-view.ts'
import { dayAndClock, seenText } from '../instant-text.ts'
import { FreshnessState } from './freshness-state.tsx'
import { Sparkline } from './sparkline.tsx'
import { useVitalColumns, useVitals, type VitalColumns } from './vitals.ts'

interface ServerTableProps {
  readonly servers: readonly ServerEntry[] | undefined
  readonly nowMs: number
  readonly gate: Gate
  readonly isStale?: boolean
}

const rowsWhileLoading = [1, 2, 3, 4, 5, 6]
const none: readonly ServerEntry[] = []

export function ServerTable({ servers, nowMs, gate, isStale = false }: ServerTableProps) {
  const columns = useVitalColumns(
    (servers ?? none).map(({ serverId }) => serverId),
    gate,
  )
  return (
    <table className="list" data-stale={isStale} aria-busy={servers === undefined}>
      <thead>
        <tr>
          <th scope="col">Server</th>
          <th scope="col">State</th>
          {columns.hasCpu && <th scope="col">CPU busy, 1 h</th>}
          {columns.hasMemory && <th scope="col">Memory used, 1 h</th>}
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
          : servers.map((server) => (
              <ServerRow key={server.serverId} server={server} nowMs={nowMs} gate={gate} columns={columns} />
            ))}
      </tbody>
    </table>
  )
}

interface ServerRowProps {
  readonly server: ServerEntry
  readonly nowMs: number
  readonly gate: Gate
  readonly columns: VitalColumns
}

function ServerRow({ server, nowMs, gate, columns }: ServerRowProps) {
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
        <FreshnessState server={server} nowMs={nowMs} />
      </td>
      {columns.hasCpu && (
        <td data-label="CPU">
          <Sparkline name="CPU busy" values={vitals.data?.cpuBusy} isLoading={vitals.isPending} colorIndex={0} />
        </td>
      )}
      {columns.hasMemory && (
        <td data-label="Mem">
          <Sparkline name="Memory used" values={vitals.data?.memoryUsed} isLoading={vitals.isPending} colorIndex={2} />
        </td>
      )}
      <td className="list-number list-wide">{server.seriesCount}</td>
      <td className="list-number" title={`Newest stored minute: until ${dayAndClock(server.lastSeenMs)}`}>
        {seenText(server.lastSeenMs, nowMs)}
      </td>
    </tr>
  )
}
