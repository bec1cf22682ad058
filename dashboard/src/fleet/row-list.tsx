/**
 * The fleet as a sortable list: the wall in words, and for keyboards and screen readers the same data. Only rows in view and some
 * around them exist. Beside the wall a row is one line; alone it also has the last hour of CPU and memory.
 */
import { useMediaQuery } from '@mantine/hooks'
import { useVirtualizer } from '@tanstack/react-virtual'
import { type KeyboardEvent, memo, useCallback, useEffect, useRef } from 'react'
import { dayAndClock, seenText } from '../instant-text.ts'
import type { Scheme } from '../palette.ts'
import { useVitalColumns, type VitalColumns } from '../server-list/vitals.ts'
import { type Domain, levelOf, ramps } from './colour-scale.ts'
import type { FleetRow } from './fleet-rows.ts'
import type { Sort, SortColumn } from './fleet-view.ts'
import { vitalsGate, WideCells, WideHeads } from './wide-cells.tsx'

interface RowListProps {
  readonly rows: readonly FleetRow[]
  readonly isWide: boolean
  readonly sort: Sort
  readonly onSort: (sort: Sort) => void
  readonly title: string
  readonly valueText: (row: FleetRow) => string
  readonly domain: Domain | undefined
  readonly scheme: Scheme
  readonly cursorId: string | undefined
  readonly onCursor: (serverId: string | undefined) => void
  readonly onOpen: (serverId: string) => void
  readonly nowMs: number
  readonly isStale: boolean
}

/** As in fleet.css. */
const [narrowRowPx, wideRowPx, phoneRowPx, headPx] = [30, 42, 74, 34]
const phone = '(max-width: 620px)'
/** Narrow rows more than a screenful on either side: a fast wheel arrives where rows already are. Wide ones ask for vitals. */
const [narrowOverscan, wideOverscan] = [30, 12]
const noIds: readonly string[] = []

export function RowList(props: RowListProps) {
  const { rows, isWide, sort, onSort, title, cursorId, onCursor, onOpen, isStale } = props
  const scroller = useRef<HTMLDivElement>(null)
  const isPhone = useMediaQuery(phone, false, { getInitialValueInEffect: false })
  const rowPx = isWide ? (isPhone ? phoneRowPx : wideRowPx) : narrowRowPx
  // The same one as long as the rows are: all of them are placed anew for another.
  const keyOf = useCallback((index: number) => rows[index]?.server.serverId ?? index, [rows])
  const list = useVirtualizer({
    count: rows.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => rowPx,
    overscan: isWide ? wideOverscan : narrowOverscan,
    scrollMargin: headPx,
    getItemKey: keyOf,
    // Its timer may see a jump before the scroll event does, and would then render it a frame too late.
    useScrollendEvent: true,
  })
  // biome-ignore lint/correctness/useExhaustiveDependencies: sizes are kept until they are said to have changed
  useEffect(() => list.measure(), [rowPx])

  const cursor = cursorId === undefined ? -1 : rows.findIndex(({ server }) => server.serverId === cursorId)
  const moveTo = (index: number) => {
    const at = Math.min(rows.length - 1, Math.max(0, index))
    const id = rows[at]?.server.serverId
    if (id === undefined) return
    onCursor(id)
    list.scrollToIndex(at, { align: 'auto' })
  }
  const press = (event: KeyboardEvent) => {
    if (event.target !== event.currentTarget || event.ctrlKey || event.metaKey || event.altKey) return
    const pageRows = Math.max(1, Math.floor((scroller.current?.clientHeight ?? 0) / rowPx) - 1)
    const moves: Readonly<Record<string, number>> = {
      ArrowDown: cursor + 1,
      ArrowUp: cursor - 1,
      PageDown: cursor + pageRows,
      PageUp: cursor - pageRows,
      Home: 0,
      End: rows.length - 1,
    }
    const to = moves[event.key]
    if (to !== undefined) moveTo(to)
    else if (event.key === 'Enter' && cursorId !== undefined) onOpen(cursorId)
    else return
    event.preventDefault()
  }
  const { valueText, domain, scheme, nowMs } = props
  const shared: Shared = { isWide, valueText, domain, scheme, onCursor, onOpen, nowMs }
  const items = list.getVirtualItems()
  const shownIds = isWide ? items.flatMap(({ index }) => rows[index]?.server.serverId ?? []) : noIds
  const vitals = useVitalColumns(shownIds, vitalsGate)
  return (
    <div
      ref={scroller}
      className="rows"
      data-testid="fleet-list"
      data-wide={isWide}
      data-cpu={isWide && vitals.hasCpu}
      data-memory={isWide && vitals.hasMemory}
      data-stale={isStale}
    >
      <table
        // biome-ignore lint/a11y/noNoninteractiveElementToInteractiveRole: a table whose rows one moves through by keys is a grid
        role="grid"
        aria-label="Servers"
        aria-rowcount={rows.length + 1}
        aria-activedescendant={items.some(({ index }) => index === cursor) ? rowId(cursor) : undefined}
        tabIndex={0}
        onKeyDown={press}
      >
        <thead>
          <tr className="row rows-head" aria-rowindex={1}>
            <Head column="name" text="Server" {...{ sort, onSort }} />
            {isWide && <WideHeads columns={vitals} />}
            <Head column="value" text={isWide ? title : 'Value'} {...{ sort, onSort }} />
            <Head column="seen" text="Last seen" {...{ sort, onSort }} />
          </tr>
        </thead>
        <tbody className="rows-body" style={{ height: list.getTotalSize() }}>
          {items.map(({ index, start }) => {
            const row = rows[index]
            if (row === undefined) return null
            return (
              <Row
                key={row.server.serverId}
                {...shared}
                vitals={vitals}
                row={row}
                index={index}
                topPx={start - headPx}
                isCursor={index === cursor}
              />
            )
          })}
        </tbody>
      </table>
    </div>
  )
}

function rowId(index: number): string {
  return `fleet-row-${index}`
}

interface HeadProps {
  readonly column: SortColumn
  readonly text: string
  readonly sort: Sort
  readonly onSort: (sort: Sort) => void
}

function Head({ column, text, sort, onSort }: HeadProps) {
  const isSorted = sort.column === column
  const direction = sort.isDescending ? 'descending' : 'ascending'
  return (
    <th scope="col" className={column === 'name' ? undefined : 'row-number'} aria-sort={isSorted ? direction : 'none'}>
      <button
        type="button"
        title={text}
        onClick={() => onSort({ column, isDescending: isSorted ? !sort.isDescending : column !== 'name' })}
      >
        <span>{text}</span>
        <i className="rows-arrow" aria-hidden="true">
          {isSorted ? (sort.isDescending ? '↓' : '↑') : ''}
        </i>
      </button>
    </th>
  )
}

type Shared = Pick<RowListProps, 'isWide' | 'valueText' | 'domain' | 'scheme' | 'onCursor' | 'onOpen' | 'nowMs'>

interface RowProps extends Shared {
  readonly vitals: VitalColumns
  readonly row: FleetRow
  readonly index: number
  readonly topPx: number
  readonly isCursor: boolean
}

/** Of rows that stay while the list is scrolled none is rendered again. */
const Row = memo(function Row(props: RowProps) {
  const { row, index, topPx, isCursor, isWide, valueText, domain, scheme, nowMs, onCursor, onOpen } = props
  const { server, value, isSilent } = row
  const color = value === null || domain === undefined ? undefined : ramps[scheme].colors[levelOf(value, domain)]
  return (
    <tr
      id={rowId(index)}
      className="row"
      aria-rowindex={index + 2}
      aria-selected={isCursor}
      data-testid="server-row"
      data-server-id={server.serverId}
      data-silent={isSilent}
      style={{ transform: `translateY(${topPx}px)` }}
      onPointerMove={() => !isCursor && onCursor(server.serverId)}
    >
      <th scope="row">
        <a
          href={`/servers/${encodeURIComponent(server.serverId)}`}
          className="row-link"
          tabIndex={-1}
          onClick={(event) => {
            // Another tab or window is the browser's to open.
            if (event.button !== 0 || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return
            event.preventDefault()
            onOpen(server.serverId)
          }}
        >
          {server.serverId}
        </a>
      </th>
      {isWide && <WideCells server={server} columns={props.vitals} nowMs={nowMs} />}
      <td className="row-number row-value">
        {color !== undefined && !isSilent && <span className="swatch" style={{ '--swatch': color }} />}
        {valueText(row)}
      </td>
      <td className="row-number row-seen" title={dayAndClock(server.lastSeenMs)}>
        {seenText(server.lastSeenMs, nowMs)}
      </td>
    </tr>
  )
})
