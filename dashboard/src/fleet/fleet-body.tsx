/** The wall with its legend, and the list: two views of the same rows, with one cursor. Bones of the same size while they are on their way. */
import { Button, useComputedColorScheme } from '@mantine/core'
import { useCallback, useDeferredValue, useMemo, useState } from 'react'
import { formatValue } from '../unit.ts'
import { captionOf } from './colourings.ts'
import { type FleetRow, matchesRow, sortRows } from './fleet-rows.ts'
import type { FleetView } from './fleet-view.ts'
import { Legend } from './legend.tsx'
import { RowList } from './row-list.tsx'
import type { FleetData } from './use-fleet-rows.ts'
import { Wall } from './wall.tsx'
import { groupRows } from './wall-layout.ts'

interface FleetBodyProps {
  readonly kind: 'wall' | 'list'
  readonly view: FleetView
  readonly fleet: FleetData
  readonly isWide: boolean
  readonly isStale: boolean
  readonly onView: (change: Partial<FleetView>, isStep?: boolean) => void
  readonly onOpen: (serverId: string) => void
}

const none: readonly FleetRow[] = []

export function FleetBody({ kind, view, fleet, isWide, isStale, onView, onOpen }: FleetBodyProps) {
  const scheme = useComputedColorScheme('light', { getInitialValueInEffect: false })
  const [cursorId, setCursor] = useState<string>()
  const { unit, domain, nowMs, colouring } = fleet
  const rows = fleet.rows ?? none
  const query = useDeferredValue(view.query.trim())
  const { isSilentOnly, sort } = view
  const isFiltered = query !== '' || isSilentOnly
  const found = useMemo(
    () => (isFiltered ? rows.filter((row) => matchesRow(row, { query, isSilentOnly })) : rows),
    [rows, isFiltered, query, isSilentOnly],
  )
  const sorted = useMemo(() => sortRows(found, sort), [found, sort])
  const wall = useMemo(() => groupRows(rows, view.groupBy !== undefined), [rows, view.groupBy])
  const valueText = useCallback((row: FleetRow) => formatValue(row.value, unit), [unit])
  const isDimmed = useCallback(
    (row: FleetRow) => isFiltered && !matchesRow(row, { query, isSilentOnly }),
    [isFiltered, query, isSilentOnly],
  )
  const title = captionOf(colouring)
  const shared = { domain, scheme, title, valueText, cursorId, onCursor: setCursor, onOpen, nowMs }
  return (
    <div className="fleet-body">
      {kind === 'wall' && (
        <section className="fleet-map" aria-label="Map">
          <Legend
            title={title}
            unit={unit}
            domain={domain}
            isFixed={view.domain !== undefined}
            current={fleet.current}
            values={fleet.values}
            scheme={scheme}
            onFix={(next) => onView({ domain: next }, true)}
            onRescale={fleet.rescale}
          />
          {fleet.rows === undefined ? (
            <div className="wall bone" aria-busy="true" />
          ) : (
            <Wall
              {...shared}
              rows={wall.rows}
              groups={wall.groups}
              isDimmed={isDimmed}
              zoom={view.zoom}
              onZoom={(zoom) => onView({ zoom })}
            />
          )}
        </section>
      )}
      {fleet.rows === undefined ? (
        <div className="rows" data-wide={isWide} aria-busy="true">
          <div className="rows-coming" />
        </div>
      ) : sorted.length === 0 ? (
        <div className="rows rows-none">
          <p>
            {isSilentOnly ? 'No silent server' : 'No server'}
            {query !== '' && (
              <>
                {' '}
                has <strong>{query}</strong> in its name
              </>
            )}
            .
          </p>
          <Button variant="default" size="xs" onClick={() => onView({ query: '', isSilentOnly: false }, true)}>
            Show all servers
          </Button>
        </div>
      ) : (
        <RowList
          {...shared}
          rows={sorted}
          isWide={isWide}
          sort={sort}
          onSort={(next) => onView({ sort: next }, true)}
          isStale={isStale}
        />
      )}
    </div>
  )
}
