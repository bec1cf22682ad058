/**
 * The fleet as a map: a cell a server, coloured by its value, to zoom into until names and values appear. Pointing at a cell or moving
 * the cursor there tells about it; a click or Enter opens the server. The list beside it is the same in words.
 */
import { type KeyboardEvent, type PointerEvent, useEffect, useLayoutEffect, useMemo, useRef, useState } from 'react'
import type { Scheme } from '../palette.ts'
import type { Domain } from './colour-scale.ts'
import type { FleetRow } from './fleet-rows.ts'
import type { ZoomPlace } from './fleet-view.ts'
import { type Detail, paintWall, type WallScene } from './paint-wall.ts'
import { useZoom } from './use-zoom.ts'
import { bitmapsOf, type WallColors } from './wall-bitmap.ts'
import { cellAt, type Group, layoutWall, nearestCell, neighbourOf, placeOf, type Size } from './wall-layout.ts'
import { WallReadout } from './wall-readout.tsx'

interface WallProps {
  /** In the order of groups. */
  readonly rows: readonly FleetRow[]
  readonly groups: readonly Group[]
  readonly domain: Domain | undefined
  readonly scheme: Scheme
  /** What the colours stand for. */
  readonly title: string
  readonly valueText: (row: FleetRow) => string
  readonly isDimmed: (row: FleetRow) => boolean
  readonly cursorId: string | undefined
  readonly onCursor: (serverId: string | undefined) => void
  readonly onOpen: (serverId: string) => void
  readonly zoom: ZoomPlace | undefined
  readonly onZoom: (place: ZoomPlace | undefined) => void
  readonly nowMs: number
}

const zoomStep = 1.5
/** Of the wall, with Shift and an arrow. */
const panShare = 0.25
const arrows: Readonly<Record<string, { dx: number; dy: number }>> = {
  ArrowLeft: { dx: -1, dy: 0 },
  ArrowRight: { dx: 1, dy: 0 },
  ArrowUp: { dx: 0, dy: -1 },
  ArrowDown: { dx: 0, dy: 1 },
}

export function Wall(props: WallProps) {
  const { rows, groups, domain, scheme, title, valueText, isDimmed, cursorId, onCursor, onOpen, onZoom, nowMs } = props
  const canvas = useRef<HTMLCanvasElement>(null)
  const size = useSize(canvas)
  const [hover, setHover] = useState<number>()
  const [isFocused, setFocused] = useState(false)
  const [painted, setPainted] = useState<{ detail: Detail; factor: number }>({ detail: 'colour', factor: 1 })
  const layout = useMemo(() => layoutWall(groups, size), [groups, size])
  const numberOf = useMemo(() => new Map(rows.map(({ server }, number) => [server.serverId, number])), [rows])
  const cursor = cursorId === undefined ? undefined : numberOf.get(cursorId)
  const colors = useMemo(() => wallColors(scheme), [scheme])
  const bitmaps = useMemo(
    () => bitmapsOf(rows, layout.blocks, { scheme, domain, colors, isDimmed }),
    [rows, layout, scheme, domain, colors, isDimmed],
  )
  const scene = useRef<WallScene>(undefined)
  scene.current = { layout, rows, bitmaps, colors, scheme, domain, valueText, isDimmed, cursor, hover }

  const frame = useRef(0)
  const isMarked = useRef(false)
  const requestPaint = () => {
    if (frame.current === 0) frame.current = requestAnimationFrame(paint)
  }
  const paint = () => {
    frame.current = 0
    const element = canvas.current
    const context = element?.getContext('2d', { alpha: false })
    if (!element || !context || scene.current === undefined) return
    const transform = zoom.transform()
    const sizeNow = { width: element.clientWidth, height: element.clientHeight }
    const detail = paintWall(context, scene.current, { transform, size: sizeNow, ratio: devicePixelRatio })
    if (!isMarked.current && scene.current.rows.length > 0 && domain !== undefined) {
      // For `npm run bench:page`, and for whoever looks at a trace.
      performance.mark('fleet-wall-painted')
      isMarked.current = true
    }
    setPainted((before) =>
      before.detail === detail && before.factor === transform.k ? before : { detail, factor: transform.k },
    )
  }
  const zoom = useZoom(canvas, {
    layout,
    size,
    onMove: requestPaint,
    onRest: (transform) => {
      const [x, y] = transform.invert([size.width / 2, size.height / 2])
      const middle = rows[nearestCell(layout, x, y) ?? -1]
      onZoom(
        transform.k > 1.01 && middle !== undefined
          ? { factor: transform.k, serverId: middle.server.serverId }
          : undefined,
      )
    },
  })

  // Painted in the frame that shows the new size: a canvas that changes size is blank.
  useLayoutEffect(() => {
    const element = canvas.current
    if (element === null) return
    const [width, height] = [Math.round(size.width * devicePixelRatio), Math.round(size.height * devicePixelRatio)]
    if (element.width !== width || element.height !== height) Object.assign(element, { width, height })
    paint()
  })
  useEffect(() => () => cancelAnimationFrame(frame.current), [])

  const place = props.zoom
  const placed = useRef<string>(undefined)
  useEffect(() => {
    // Only what the address says by itself: a link that was opened, or going back.
    const wanted = `${place?.factor.toPrecision(3)} ${place?.serverId} ${layout.cell}`
    if (rows.length === 0 || size.width === 0 || wanted === placed.current) return
    placed.current = wanted
    const at = place === undefined ? undefined : placeOf(layout, numberOf.get(place.serverId) ?? -1)
    if (place === undefined || at === undefined) zoom.reset()
    else if (Math.abs(zoom.transform().k / place.factor - 1) > 0.01 || isOutside(at)) {
      zoom.to(place.factor, at.x + layout.cell / 2, at.y + layout.cell / 2)
    }
  })
  const isOutside = ({ x, y }: { x: number; y: number }): boolean => {
    const [left, top] = zoom.transform().apply([x + layout.cell / 2, y + layout.cell / 2])
    return left < 0 || top < 0 || left > size.width || top > size.height
  }

  const cellUnder = (event: PointerEvent | React.MouseEvent): number | undefined => {
    const box = event.currentTarget.getBoundingClientRect()
    const [x, y] = zoom.transform().invert([event.clientX - box.left, event.clientY - box.top])
    return cellAt(layout, x, y)
  }
  const moveCursor = (number: number) => {
    const at = placeOf(layout, number)
    if (at !== undefined && isOutside(at)) {
      zoom.to(zoom.transform().k, at.x + layout.cell / 2, at.y + layout.cell / 2)
    }
    onCursor(rows[number]?.server.serverId)
  }
  const press = (event: KeyboardEvent) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return
    const act = actOf(event)
    if (act === undefined) return
    event.preventDefault()
    event.stopPropagation()
    act()
  }
  const actOf = ({ key, shiftKey }: KeyboardEvent): (() => void) | undefined => {
    const step = arrows[key]
    if (step !== undefined && shiftKey) {
      return () => zoom.pan(step.dx * panShare * size.width, step.dy * panShare * size.height)
    }
    if (step !== undefined) return () => moveCursor(cursor === undefined ? 0 : neighbourOf(layout, cursor, step))
    if (key === '+' || key === '=') return () => zoom.by(zoomStep, middleOfCursor())
    if (key === '-') return () => zoom.by(1 / zoomStep, middleOfCursor())
    if (key === '0') {
      return () => {
        zoom.reset()
        onZoom(undefined)
      }
    }
    if (key === 'Home') return () => moveCursor(0)
    if (key === 'End') return () => moveCursor(rows.length - 1)
    if (key === 'Enter' && cursorId !== undefined) return () => onOpen(cursorId)
    if (key === 'Escape' && cursorId !== undefined) return () => onCursor(undefined)
    return undefined
  }
  const middleOfCursor = (): [number, number] | undefined => {
    const at = cursor === undefined ? undefined : placeOf(layout, cursor)
    return at && zoom.transform().apply([at.x + layout.cell / 2, at.y + layout.cell / 2])
  }
  const click = (event: React.MouseEvent) => {
    const number = cellUnder(event)
    const found = number === undefined ? undefined : rows[number]
    if (found === undefined) return
    const isTouch = (event.nativeEvent as globalThis.PointerEvent).pointerType === 'touch'
    // A finger cannot point without pressing: the first tap tells, the second opens.
    if (isTouch && found.server.serverId !== cursorId) onCursor(found.server.serverId)
    else onOpen(found.server.serverId)
  }

  const told = hover ?? (isFocused || cursor !== undefined ? cursor : undefined)
  const toldRow = told === undefined ? undefined : rows[told]
  const toldAt = told === undefined ? undefined : placeOf(layout, told)
  return (
    <div className="wall">
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
        <canvas
          ref={canvas}
          className="wall-canvas"
          data-testid="wall"
          data-cells={rows.length}
          data-detail={painted.detail}
          data-zoom={painted.factor.toPrecision(3)}
        />
      </div>
      <div className="wall-buttons">
        <button type="button" aria-label="Zoom in" title="Zoom in (+)" onClick={() => zoom.by(zoomStep)}>
          +
        </button>
        <button
          type="button"
          aria-label="Zoom out"
          title="Zoom out (−)"
          disabled={painted.factor <= 1}
          onClick={() => zoom.by(1 / zoomStep)}
        >
          −
        </button>
      </div>
      <span className="wall-said" aria-live="polite">
        {isFocused && toldRow !== undefined && `${toldRow.server.serverId}, ${valueText(toldRow)}`}
      </span>
      {toldRow !== undefined && toldAt !== undefined && size.width > 0 && (
        <WallReadout
          row={toldRow}
          valueText={valueText}
          title={title}
          nowMs={nowMs}
          box={boxOnScreen(toldAt, layout.cell, zoom.transform())}
          size={size}
        />
      )}
    </div>
  )
}

function boxOnScreen(at: { x: number; y: number }, cell: number, transform: { x: number; y: number; k: number }) {
  return { left: transform.x + at.x * transform.k, top: transform.y + at.y * transform.k, side: cell * transform.k }
}

const nowhere: Size = { width: 0, height: 0 }

function useSize(canvas: React.RefObject<HTMLCanvasElement | null>): Size {
  const [size, setSize] = useState(nowhere)
  useLayoutEffect(() => {
    const element = canvas.current
    if (element === null) return
    const measure = () =>
      setSize((before) => {
        const { clientWidth: width, clientHeight: height } = element
        return before.width === width && before.height === height ? before : { width, height }
      })
    measure()
    const observer = new ResizeObserver(measure)
    observer.observe(element)
    return () => observer.disconnect()
  }, [canvas])
  return size
}

/** As theme.css has them. `scheme` says when to look again. */
function wallColors(_scheme: Scheme): WallColors {
  const css = getComputedStyle(document.documentElement)
  const token = (name: string) => css.getPropertyValue(`--m-${name}`).trim()
  return {
    panel: token('panel'),
    raised: token('raised'),
    line: token('line'),
    text: token('text'),
    dim: token('dim'),
    warn: token('warn'),
    accent: token('accent'),
  }
}
