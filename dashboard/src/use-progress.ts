/**
 * Follows the fleet's stream: how far minutes are closed, and the server's clock. When another minute is closed, what is shown is read
 * anew, once, within a few seconds (onMinute): a thousand viewers should not all ask in the same moment.
 */
import { useEffect, useRef, useState } from 'react'
import { fleetLiveUrl } from './api.ts'
import { type LiveState, openLiveStream } from './live-stream.ts'
import { minuteMs } from './time-range.ts'
import { useLostSince } from './use-lost-since.ts'

export interface Progress {
  readonly state: LiveState
  /** 0 until known. */
  readonly completeThroughMs: number
  /** The server's clock minus ours. */
  readonly skewMs: number
  readonly lostSinceMs: number | undefined
}

const spreadMs = 2_500

export function useProgress(onMinute: () => void): Progress {
  const [state, setState] = useState<LiveState>('connecting')
  const [completeThroughMs, setCompleteThroughMs] = useState(0)
  const [skewMs, setSkewMs] = useState(0)
  const latest = useRef(onMinute)
  latest.current = onMinute

  useEffect(() => {
    let knownMs = 0
    let timer: ReturnType<typeof setTimeout> | undefined
    const readSoon = () => {
      clearTimeout(timer)
      timer = setTimeout(() => latest.current(), Math.random() * spreadMs)
    }
    const reach = (atMs: number) => {
      const minute = Math.floor(atMs / minuteMs)
      setCompleteThroughMs((before) => Math.max(before, atMs))
      if (knownMs > 0 && minute > Math.floor(knownMs / minuteMs)) readSoon()
      knownMs = Math.max(knownMs, atMs)
    }
    const close = openLiveStream(fleetLiveUrl, {
      onMinute: () => {},
      onProgress: (progress) => reach(progress.completeThroughMs),
      onStatus: (status) => {
        setSkewMs(status.nowMs - Date.now())
        reach(status.completeThroughMs)
      },
      onState: setState,
      onGap: readSoon,
    })
    return () => {
      clearTimeout(timer)
      close()
    }
  }, [])

  return { state, completeThroughMs, skewMs, lostSinceMs: useLostSince(state) }
}

/** Whether Minutely is gone, or only the live connection, shows when it is asked something. */
export function useRefetchWhenLost({ lostSinceMs }: Progress, refetch: () => unknown): void {
  const isLost = lostSinceMs !== undefined
  useEffect(() => {
    if (isLost) void refetch()
  }, [isLost, refetch])
}
