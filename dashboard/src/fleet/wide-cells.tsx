/** What a row of the list has besides when there is room: its state, the last hour of CPU and memory, how many series it sends. */
import type { ServerEntry } from '@minutely/schema/query-wire'
import { createGate } from '../gate.ts'
import { FreshnessState } from '../server-list/freshness-state.tsx'
import { Sparkline } from '../server-list/sparkline.tsx'
import { useVitals, type VitalColumns } from '../server-list/vitals.ts'

/** Of the browser's six connections to a host. */
const readsMax = 3
export const vitalsGate = createGate(readsMax)

export function WideHeads({ columns: { hasCpu, hasMemory } }: { columns: VitalColumns }) {
  return (
    <>
      <WideHead text="State" />
      {hasCpu && <WideHead text="CPU busy, 1 h" />}
      {hasMemory && <WideHead text="Memory used, 1 h" />}
      <WideHead text="Series" className="row-number row-series" />
    </>
  )
}

function WideHead({ text, className }: { text: string; className?: string | undefined }) {
  return (
    <th scope="col" className={className}>
      {text}
    </th>
  )
}

interface WideCellsProps {
  readonly server: ServerEntry
  readonly columns: VitalColumns
  readonly nowMs: number
}

export function WideCells({ server, columns: { hasCpu, hasMemory }, nowMs }: WideCellsProps) {
  const vitals = useVitals(server.serverId, { gate: vitalsGate, enabled: true })
  const { cpuBusy, memoryUsed } = vitals.data ?? {}
  return (
    <>
      <td className="row-state">
        <FreshnessState server={server} nowMs={nowMs} />
      </td>
      {hasCpu && (
        <td className="row-spark" data-label="CPU">
          <Sparkline name="CPU busy" values={cpuBusy} isLoading={vitals.isPending} colorIndex={0} />
        </td>
      )}
      {hasMemory && (
        <td className="row-spark" data-label="Mem">
          <Sparkline name="Memory used" values={memoryUsed} isLoading={vitals.isPending} colorIndex={2} />
        </td>
      )}
      <td className="row-number row-series">{server.seriesCount}</td>
    </>
  )
}
