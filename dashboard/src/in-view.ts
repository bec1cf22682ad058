/** Whether an element is in the window or within `marginPx` of it. What is far away is neither read nor drawn. */
import { type RefObject, useEffect, useRef, useState } from 'react'

export function useInView<E extends Element>(marginPx: number): { ref: RefObject<E | null>; inView: boolean } {
  const ref = useRef<E>(null)
  const [inView, setInView] = useState(false)
  useEffect(() => {
    if (ref.current === null) return
    const observer = new IntersectionObserver((entries) => setInView(entries.at(-1)?.isIntersecting ?? false), {
      rootMargin: `${marginPx}px 0px`,
    })
    observer.observe(ref.current)
    return () => observer.disconnect()
  }, [marginPx])
  return { ref, inView }
}
