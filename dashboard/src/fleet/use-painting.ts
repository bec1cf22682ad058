/**
 * Paints the wall: at once when what it shows has changed, in the next frame when it was moved. Tells what the cells say at that
 * size, and marks the first picture in the browser's timeline.
 */
import { zoomTransform } from 'd3-zoom'
import { type RefObject, useEffect, useLayoutEffect, useRef, useState } from 'react'
import { type Detail, paintWall, type WallScene } from './paint-wall.ts'
import type { Size } from './wall-layout.ts'

export interface Painted {
  readonly detail: Detail
  readonly factor: number
}

/** For `npm run bench:page`, and for whoever looks at a trace. */
const mark = 'fleet-wall-painted'

export function usePainting(
  canvas: RefObject<HTMLCanvasElement | null>,
  scene: WallScene,
  size: Size,
): { readonly painted: Painted; readonly requestPaint: () => void } {
  const [painted, setPainted] = useState<Painted>({ detail: 'colour', factor: 1 })
  const latest = useRef(scene)
  latest.current = scene
  const frame = useRef(0)
  const isMarked = useRef(false)

  const paint = () => {
    frame.current = 0
    const element = canvas.current
    const context = element?.getContext('2d', { alpha: false })
    if (!element || !context) return
    const transform = zoomTransform(element)
    const sizeNow = { width: element.clientWidth, height: element.clientHeight }
    const detail = paintWall(context, latest.current, { transform, size: sizeNow, ratio: devicePixelRatio })
    if (!isMarked.current && latest.current.rows.length > 0 && latest.current.domain !== undefined) {
      performance.mark(mark)
      isMarked.current = true
    }
    setPainted((before) =>
      before.detail === detail && before.factor === transform.k ? before : { detail, factor: transform.k },
    )
  }
  // A canvas that changes its size is blank, so it is painted before the browser shows it.
  useLayoutEffect(() => {
    const element = canvas.current
    if (element === null) return
    const [width, height] = [Math.round(size.width * devicePixelRatio), Math.round(size.height * devicePixelRatio)]
    if (element.width !== width || element.height !== height) Object.assign(element, { width, height })
    paint()
  })
  useEffect(() => () => cancelAnimationFrame(frame.current), [])

  return {
    painted,
    requestPaint: () => {
      if (frame.current === 0) frame.current = requestAnimationFrame(paint)
    },
  }
}
