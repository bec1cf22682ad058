/**
 * Wheel, pinch and drag over the wall, by d3-zoom; the transform lives outside of React, since a frame must not wait for it. At rest the
 * place is told, for the address.
 */
import { select } from 'd3-selection'
import { type D3ZoomEvent, type ZoomBehavior, type ZoomTransform, zoom, zoomIdentity, zoomTransform } from 'd3-zoom'
import { type RefObject, useEffect, useMemo, useRef } from 'react'
import type { Size, WallLayout } from './wall-layout.ts'

export interface WallZoom {
  transform(): ZoomTransform
  /** Around a place of the screen, the middle when there is none. */
  by(factor: number, around?: readonly [number, number]): void
  pan(dxPx: number, dyPx: number): void
  /** A place of the layout into the middle. */
  to(factor: number, x: number, y: number): void
  reset(): void
}

export interface ZoomOptions {
  readonly layout: WallLayout
  readonly size: Size
  readonly onMove: () => void
  /** Not after `to` and `reset`. */
  readonly onRest: (transform: ZoomTransform) => void
}

/** As large as a cell gets. */
const cellPxMax = 150

export function useZoom(canvas: RefObject<HTMLCanvasElement | null>, options: ZoomOptions): WallZoom {
  const latest = useRef(options)
  latest.current = options
  const behavior = useRef<ZoomBehavior<HTMLCanvasElement, unknown>>(undefined)
  const { layout, size } = options

  useEffect(() => {
    const element = canvas.current
    if (element === null) return
    const made = zoom<HTMLCanvasElement, unknown>()
      .filter((event: Event) => isOurs(event, zoomTransform(element).k))
      .on('start', (event: D3ZoomEvent<HTMLCanvasElement, unknown>) => {
        // So that 0 and Escape lead back; a click gives the focus by itself.
        if (event.sourceEvent instanceof WheelEvent) element.focus({ preventScroll: true })
      })
      .on('zoom', () => {
        // At rest a finger scrolls the page.
        element.style.touchAction = zoomTransform(element).k > 1 ? 'none' : 'pan-y'
        latest.current.onMove()
      })
      .on('end', (event: D3ZoomEvent<HTMLCanvasElement, unknown>) => {
        if (event.sourceEvent !== undefined && event.sourceEvent !== null) latest.current.onRest(event.transform)
      })
    behavior.current = made
    select(element).call(made).on('dblclick.zoom', null)
    element.style.touchAction = 'pan-y'
    return () => {
      select(element).on('.zoom', null)
      behavior.current = undefined
    }
  }, [canvas])

  useEffect(() => {
    const kMax = Math.max(1, cellPxMax / Math.max(1, layout.cell))
    behavior.current
      ?.scaleExtent([1, kMax])
      .extent([
        [0, 0],
        [size.width, size.height],
      ])
      .translateExtent([
        [0, 0],
        [Math.max(size.width, layout.width), Math.max(size.height, layout.height)],
      ])
  }, [layout, size])

  return useMemo(() => {
    const call = (act: (made: ZoomBehavior<HTMLCanvasElement, unknown>, element: HTMLCanvasElement) => void) => {
      if (behavior.current !== undefined && canvas.current !== null) act(behavior.current, canvas.current)
    }
    const rest = (element: HTMLCanvasElement) => latest.current.onRest(zoomTransform(element))
    return {
      transform: () => (canvas.current === null ? zoomIdentity : zoomTransform(canvas.current)),
      by: (factor, around) =>
        call((made, element) => {
          made.scaleBy(select(element), factor, around === undefined ? undefined : [around[0], around[1]])
          rest(element)
        }),
      pan: (dxPx, dyPx) =>
        call((made, element) => {
          const { k } = zoomTransform(element)
          made.translateBy(select(element), -dxPx / k, -dyPx / k)
          rest(element)
        }),
      to: (factor, x, y) =>
        call((made, element) => {
          made.scaleTo(select(element), factor)
          made.translateTo(select(element), x, y)
        }),
      reset: () => call((made, element) => made.transform(select(element), zoomIdentity)),
    }
  }, [canvas])
}

function isOurs(event: Event, factor: number): boolean {
  // Zoomed out all the way, the wheel and a finger scroll the page.
  if (event instanceof WheelEvent) return factor > 1 || event.deltaY < 0
  if (typeof TouchEvent !== 'undefined' && event instanceof TouchEvent) return factor > 1 || event.touches.length > 1
  return !(event instanceof MouseEvent && (event.ctrlKey || event.button !== 0))
}
