/** Brings the wall to the place that the address names: of a link that was opened, or of going back. Where it is already, nothing moves. */
import { useEffect, useRef } from 'react'
import type { ZoomPlace } from './fleet-view.ts'
import type { WallZoom } from './use-zoom.ts'
import { placeOf, type Size, type WallLayout } from './wall-layout.ts'

interface ZoomPlaceOptions {
  readonly layout: WallLayout
  readonly size: Size
  readonly numberOf: ReadonlyMap<string, number>
}

/** Of zooms that are called the same. */
const factorShareMax = 0.01

export function useZoomPlace(
  zoom: WallZoom,
  place: ZoomPlace | undefined,
  { layout, size, numberOf }: ZoomPlaceOptions,
): void {
  const reached = useRef<string>(undefined)
  useEffect(() => {
    const wanted = `${place?.factor.toPrecision(3)} ${place?.serverId} ${layout.cell}`
    if (numberOf.size === 0 || size.width === 0 || wanted === reached.current) return
    reached.current = wanted
    const at = place === undefined ? undefined : placeOf(layout, numberOf.get(place.serverId) ?? -1)
    if (place === undefined || at === undefined) return zoom.reset()
    const isNear = Math.abs(zoom.transform().k / place.factor - 1) <= factorShareMax
    if (!isNear || !isInView(zoom, at, { layout, size })) {
      zoom.to(place.factor, at.x + layout.cell / 2, at.y + layout.cell / 2)
    }
  }, [zoom, place, layout, size, numberOf])
}

/** The middle of the cell at a place of the layout. */
export function isInView(
  zoom: WallZoom,
  { x, y }: { readonly x: number; readonly y: number },
  { layout, size }: { readonly layout: WallLayout; readonly size: Size },
): boolean {
  const [left, top] = zoom.transform().apply([x + layout.cell / 2, y + layout.cell / 2])
  return left >= 0 && top >= 0 && left <= size.width && top <= size.height
}
