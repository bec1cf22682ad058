/**
 * The ranked servers with their values: at the crosshair (or the newest), and over the range. A name leads to the server's page at the same
 * range; what is ticked can be compared. Pointing at a row makes its line stand out.
 */
import { useMemo } from 'react'
import { Link } from 'wouter'
import type { LineColor } from '../chart.tsx'
import { serversMax } from '../compare/compare-view.ts'
import { lineColor, type Scheme } from '../palette.ts'
import { type Cell, cellAt, fold } from '../range-columns.ts'
import type { View } from '../time-range.ts'
import { formatValue, type Unit } from '../unit.ts'
import { viewSearch } from '../use-view.ts'
import type { Aggregation } from './aggregations.ts'
import type { RankedSeries } from './metric-query.ts'

export interface RankedRow {
  readonly series: RankedSeries
  /** Of its labels, what tells it from the others. */
  readonly labels: string
  readonly color: LineColor
}

interface RankingTableProps {
  readonly metricId: string
  readonly rows: readonly RankedRow[] | undefined
  readonly rowCount: number
  readonly by: Aggregation
  readonly unit: Unit
  readonly scheme: Scheme
  readonly view: View
  /** Where values are read: the crosshair, or the newest step. */
  readonly slot: number | undefined
  readonly slotText: string
  readonly chosen: ReadonlySet<string>
  readonly onChoose: (serverId: string, isChosen: boolean) => void
  readonly onLit: (key: string | undefined) => void
}

export function RankingTable(props: RankingTableProps) {
  const { rows, rowCount, slotText, onLit } = props
  return (
    <table className="ranking" aria-busy={rows === undefined} onPointerLeave={() => onLit(undefined)}>
      <thead>
        <tr>
          <th scope="col">
            <span className="hidden-text">Compare</span>
          </th>
          <th scope="col">Server</th>
          <th scope="col">{slotText}</th>
          <th scope="col">Avg</th>
          <th scope="col">Min</th>
          <th scope="col">Max</th>
        </tr>
      </thead>
      <tbody>
        {rows === undefined
          ? Array.from({ length: rowCount }, (_, row) => (
              // biome-ignore lint/suspicious/noArrayIndexKey: rows without content
              <tr key={row}>
                <td colSpan={6}>
                  <span className="bone" />
                </td>
              </tr>
            ))
          : rows.map((row) => <Row key={row.series.key} row={row} {...props} />)}
      </tbody>
    </table>
  )
}

function Row({ row, ...props }: RankingTableProps & { row: RankedRow }) {
  const { metricId, by, unit, scheme, view, slot, chosen, onChoose, onLit } = props
  const { series, labels, color } = row
  const { serverId } = series
  const all = useMemo(() => allOf(series), [series])
  const value = slot === undefined ? null : series[by][slot]
  const href = `/servers/${encodeURIComponent(serverId)}?${viewSearch(view, { filter: metricId })}`
  const swatch = typeof color === 'number' ? lineColor(scheme, color) : 'var(--m-faint)'
  return (
    <tr
      data-testid="ranked"
      data-server-id={serverId}
      onPointerEnter={() => onLit(series.key)}
      onFocus={() => onLit(series.key)}
      onBlur={() => onLit(undefined)}
    >
      <td>
        <input
          type="checkbox"
          aria-label={`Compare ${serverId}`}
          checked={chosen.has(serverId)}
          disabled={!chosen.has(serverId) && chosen.size >= serversMax}
          onChange={(event) => onChoose(serverId, event.currentTarget.checked)}
        />
      </td>
      <th scope="row">
        <span className="swatch" style={{ '--swatch': swatch }} />
        <Link href={href} title={`${serverId}, at this range`}>
          {serverId}
        </Link>
        {labels !== '' && <span className="dim"> {labels}</span>}
      </th>
      <td className="ranking-now">{formatValue(value, unit)}</td>
      <td>{formatValue(by === 'count' ? null : all?.avg, unit)}</td>
      <td>{formatValue(by === 'count' ? null : all?.min, unit)}</td>
      <td>{formatValue(by === 'count' ? null : all?.max, unit)}</td>
    </tr>
  )
}

function allOf(series: RankedSeries): Cell | undefined {
  const cells = series.avg.flatMap((_, slot) => cellAt(series, slot) ?? [])
  return cells.length === 0 ? undefined : fold(cells)
}
