/**
 * How far minutes are closed, followed live, for pages about many servers: they read their ranges again when a minute was closed, at most
 * once for each. Viewers wait a moment each for itself, so that they do not all ask at once.
 */
import { useEffect, useRef, useState } from 'react'
import { fleetLiveUrl } from './api.ts'
import { type LiveState, openLiveStream } from './live-stream.ts'
import { useLostSince } from './use-lost-since.ts'

export interface Progress {
  readonly state: LiveState
  /** 0 until known. */
  readonly completeThroughMs: number
  /** Server's clock minus ours. */
  readonly skewMs: number
  readonly lostSinceMs: number | undefined
}

const spreadMs = 2_500

/** onClosed: a minute was closed, or events may have been missed. */
export function useProgress(onClosed: () => void): Progress {
  const [state, setState] = useState<LiveState>('connecting')
  const [completeThroughMs, setCompleteThroughMs] = useState(0)
  const [skewMs, setSkewMs] = useState(0)
  const latest = useRef(onClosed)
  useEffect(() => {
    latest.current = onClosed
  })
  useEffect(() => {
    let knownMs = 0
    let timer: ReturnType<typeof setTimeout> | undefined
    const tell = () => {
      clearTimeout(timer)
      timer = setTimeout(() => latest.current(), spreadMs * Math.random())
    }
    const end = openLiveStream(fleetLiveUrl, {
      onMinute: () => {},
      onStatus: (status) => setSkewMs(status.nowMs - Date.now()),
      onProgress: ({ completeThroughMs: throughMs }) => {
        // The first one says where the stream begins; ranges that were read just before may be of the minute before.
        if (throughMs <= knownMs) return
        knownMs = throughMs
        setCompleteThroughMs(throughMs)
        tell()
      },
      onState: setState,
      onGap: tell,
    })
    return () => {
      clearTimeout(timer)
      end()
    }
  }, [])
  return { state, completeThroughMs, skewMs, lostSinceMs: useLostSince(state) }
}
