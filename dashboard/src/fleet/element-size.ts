/** The size of an element, px; 0 x 0 before it is there. */
import { type RefObject, useLayoutEffect, useState } from 'react'
import type { Size } from './wall-layout.ts'

const nowhere: Size = { width: 0, height: 0 }

export function useElementSize(element: RefObject<HTMLElement | null>): Size {
  const [size, setSize] = useState(nowhere)
  useLayoutEffect(() => {
    const { current } = element
    if (current === null) return
    const measure = () =>
      setSize((before) => {
        const { clientWidth: width, clientHeight: height } = current
        return before.width === width && before.height === height ? before : { width, height }
      })
    measure()
    const observer = new ResizeObserver(measure)
    observer.observe(current)
    return () => observer.disconnect()
  }, [element])
  return size
}
