/** What the cell that is pointed at stands for, beside it. */
import { dayAndClock, seenText } from '../instant-text.ts'
import type { FleetRow } from './fleet-rows.ts'
import type { Size } from './wall-layout.ts'

interface WallReadoutProps {
  readonly row: FleetRow
  readonly valueText: (row: FleetRow) => string
  readonly title: string
  readonly nowMs: number
  /** Of the cell, px. */
  readonly box: { readonly left: number; readonly top: number; readonly side: number }
  readonly size: Size
}

const [widthPx, heightPx, gapPx] = [230, 84, 8]

export function WallReadout({ row, valueText, title, nowMs, box, size }: WallReadoutProps) {
  const right = box.left + box.side + gapPx
  const left = right + widthPx <= size.width ? right : box.left - widthPx - gapPx
  const top = Math.min(size.height - heightPx, Math.max(0, box.top))
  const { server, isSilent } = row
  return (
    <div
      className="wall-readout"
      data-testid="wall-readout"
      style={{ left: Math.max(0, Math.min(left, size.width - widthPx)), top }}
    >
      <strong>{server.serverId}</strong>
      {row.group !== null && <span className="dim"> {row.group}</span>}
      <div>
        <span className="dim">{title}</span> <b>{valueText(row)}</b>
      </div>
      <div className="dim" title={dayAndClock(server.lastSeenMs)}>
        {isSilent ? 'Silent, last seen' : 'Last seen'} {seenText(server.lastSeenMs, nowMs)}
      </div>
    </div>
  )
}
