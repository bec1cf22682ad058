/** A live connection that was lost for a moment comes back by itself; only one that stays away is called lost. */
import { useEffect, useState } from 'react'
import type { LiveState } from './live-stream.ts'

/** The page's own questions take up to 2 s more to fail, so a stopped process is announced after about 5 s. */
const lostAfterMs = 3_000

/** Since when it has been away (the browser's clock), when that is long enough to say so. */
export function useLostSince(state: LiveState): number | undefined {
  const [lostSinceMs, setLostSinceMs] = useState<number>()
  useEffect(() => {
    if (state !== 'reconnecting') return setLostSinceMs(undefined)
    const sinceMs = Date.now()
    const timer = setTimeout(() => setLostSinceMs(sinceMs), lostAfterMs)
    return () => clearTimeout(timer)
  }, [state])
  return lostSinceMs
}
