/** What takes the pointer and the keys on the wall: moving the cursor, zooming, opening a server; and says where the cursor is. */
import { type KeyboardEvent, type MouseEvent, type ReactNode, useState } from 'react'
import type { WallZoom } from './use-zoom.ts'
import { isInView } from './use-zoom-place.ts'
import type { WallProps } from './wall.tsx'
import { wallKey } from './wall-keys.ts'
import { cellAt, neighbourOf, placeOf, type Size, type WallLayout } from './wall-layout.ts'

interface WallMapProps {
  readonly props: WallProps
  readonly zoom: WallZoom
  readonly layout: WallLayout
  readonly size: Size
  readonly cursor: number | undefined
  readonly setHover: (number: number | undefined) => void
  readonly children: ReactNode
}

export function WallMap({ props, zoom, layout, size, cursor, setHover, children }: WallMapProps) {
  const { rows, title, valueText, cursorId, onCursor, onOpen, onZoom } = props
  const [isFocused, setFocused] = useState(false)
  const cellUnder = (event: MouseEvent): number | undefined => {
    const box = event.currentTarget.getBoundingClientRect()
    return cellAt(layout, ...zoom.transform().invert([event.clientX - box.left, event.clientY - box.top]))
  }
  const moveTo = (number: number) => {
    const at = placeOf(layout, number)
    if (at === undefined) return
    if (!isInView(zoom, at, { layout, size })) {
      zoom.to(zoom.transform().k, at.x + layout.cell / 2, at.y + layout.cell / 2)
    }
    onCursor(rows[number]?.server.serverId)
  }
  const press = (event: KeyboardEvent) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return
    const at = cursor === undefined ? undefined : placeOf(layout, cursor)
    const act = wallKey(event.key, event.shiftKey, {
      moveBy: (step) => moveTo(cursor === undefined ? 0 : neighbourOf(layout, cursor, step)),
      moveTo: (end) => moveTo(end === 'first' ? 0 : rows.length - 1),
      pan: (dx, dy) => zoom.pan(dx * size.width, dy * size.height),
      zoomBy: (factor) =>
        zoom.by(factor, at && zoom.transform().apply([at.x + layout.cell / 2, at.y + layout.cell / 2])),
      zoomOut: () => {
        zoom.reset()
        onZoom(undefined)
      },
      open: () => cursorId !== undefined && onOpen(cursorId),
      leave: () => onCursor(undefined),
    })
    if (act === undefined) return
    event.preventDefault()
    event.stopPropagation()
    act()
  }
  const click = (event: MouseEvent) => {
    const serverId = rows[cellUnder(event) ?? -1]?.server.serverId
    if (serverId === undefined) return
    const isTouch = (event.nativeEvent as PointerEvent).pointerType === 'touch'
    // A finger cannot point without pressing: the first tap tells, the second opens.
    if (isTouch && serverId !== cursorId) onCursor(serverId)
    else onOpen(serverId)
  }
  const said = isFocused && cursor !== undefined ? rows[cursor] : undefined
  return (
    <>
      <div
        className="wall-map"
        role="application"
        aria-roledescription="map"
        aria-label={`${rows.length} servers by ${title}. Arrow keys move between servers, plus and minus zoom, Enter opens.`}
        // biome-ignore lint/a11y/noNoninteractiveTabindex: an application takes keys
        tabIndex={0}
        onKeyDown={press}
        onFocus={() => setFocused(true)}
        onBlur={() => setFocused(false)}
        onPointerMove={(event) => event.pointerType !== 'touch' && setHover(cellUnder(event))}
        onPointerLeave={() => setHover(undefined)}
        onClick={click}
      >
        {children}
      </div>
      <span className="wall-said" aria-live="polite">
        {said !== undefined && `${said.server.serverId}, ${valueText(said)}`}
      </span>
    </>
  )
}
