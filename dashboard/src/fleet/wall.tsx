/**
 * The fleet as a map: a cell a server, coloured by its value, to zoom into until names and values appear. Pointing at a cell or moving
 * the cursor there tells about it; a click or Enter opens the server. The list beside it is the same in words.
 */
import { useMemo, useRef, useState } from 'react'
import type { Scheme } from '../palette.ts'
import type { Domain } from './colour-scale.ts'
import { useElementSize } from './element-size.ts'
import type { FleetRow } from './fleet-rows.ts'
import type { ZoomPlace } from './fleet-view.ts'
import { usePainting } from './use-painting.ts'
import { useZoom } from './use-zoom.ts'
import { useZoomPlace } from './use-zoom-place.ts'
import { bitmapsOf, wallColors } from './wall-bitmap.ts'
import { zoomStep } from './wall-keys.ts'
import { type Group, layoutWall, nearestCell, placeOf } from './wall-layout.ts'
import { WallMap } from './wall-map.tsx'
import { WallReadout } from './wall-readout.tsx'

export interface WallProps {
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

/** As good as not zoomed. */
const factorMin = 1.01

export function Wall(props: WallProps) {
  const { rows, groups, domain, scheme, valueText, isDimmed, cursorId, onZoom } = props
  const canvas = useRef<HTMLCanvasElement>(null)
  const size = useElementSize(canvas)
  const [hover, setHover] = useState<number>()
  const layout = useMemo(() => layoutWall(groups, size), [groups, size])
  const numberOf = useMemo(() => new Map(rows.map(({ server }, number) => [server.serverId, number])), [rows])
  const cursor = cursorId === undefined ? undefined : numberOf.get(cursorId)
  const colors = useMemo(() => wallColors(scheme), [scheme])
  const bitmaps = useMemo(
    () => bitmapsOf(rows, layout.blocks, { scheme, domain, colors, isDimmed }),
    [rows, layout, scheme, domain, colors, isDimmed],
  )
  const scene = { layout, rows, bitmaps, colors, scheme, domain, valueText, isDimmed, cursor, hover }
  const { painted, requestPaint } = usePainting(canvas, scene, size)
  const zoom = useZoom(canvas, {
    layout,
    size,
    onMove: requestPaint,
    onRest: (transform) => {
      const [x, y] = transform.invert([size.width / 2, size.height / 2])
      const middle = rows[nearestCell(layout, x, y) ?? -1]?.server.serverId
      onZoom(transform.k > factorMin && middle !== undefined ? { factor: transform.k, serverId: middle } : undefined)
    },
  })
  useZoomPlace(zoom, props.zoom, { layout, size, numberOf })

  const told = hover ?? cursor
  const toldRow = told === undefined ? undefined : rows[told]
  const toldAt = told === undefined ? undefined : placeOf(layout, told)
  const { x, y, k } = zoom.transform()
  return (
    <>
      <div className="wall">
        <WallMap {...{ props, zoom, layout, size, cursor, setHover }}>
          <canvas
            ref={canvas}
            className="wall-canvas"
            data-testid="wall"
            data-cells={rows.length}
            data-detail={painted.detail}
            data-zoom={painted.factor.toPrecision(3)}
          />
        </WallMap>
        {toldRow !== undefined && toldAt !== undefined && size.width > 0 && (
          <WallReadout
            row={toldRow}
            valueText={valueText}
            title={props.title}
            nowMs={props.nowMs}
            box={{ left: x + toldAt.x * k, top: y + toldAt.y * k, side: layout.cell * k }}
            size={size}
          />
        )}
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
    </>
  )
}
