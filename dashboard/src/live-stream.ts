/**
 * Live events of one server, or of the fleet, over SSE, for as long as somebody looks. The browser reconnects by itself after a lost connection
 * (with Last-Event-ID); what it does not do, this does: come back after an HTTP error, and notice a connection that is
 * open but silent, for the API sends a status every 15 s.
 *
 *   connecting -> connected -> reconnecting -> connected ...
 *
 * After each way back, and when the API says `reset`, events may be missing: onGap, and the ranges are to be read again.
 */
import type { LiveProgress } from '@minutely/schema/live-wire'
import type { LiveMinute, LiveStatus } from '@minutely/schema/query-wire'

export type LiveState = 'connecting' | 'connected' | 'reconnecting'

/** What a minute is depends on the stream: of one server, or of one metric. */
export interface LiveHandlers<M = LiveMinute> {
  readonly onMinute: (minute: M) => void
  readonly onStatus: (status: LiveStatus) => void
  readonly onState: (state: LiveState) => void
  readonly onGap: () => void
  /** Of the fleet's stream: more minutes are closed. */
  readonly onProgress?: (progress: LiveProgress) => void
}

/** Two heartbeats and some. */
const silenceMsMax = 40_000
const retryMsMin = 1_000
const retryMsMax = 30_000
const closed = 2

export interface LiveDeps {
  readonly createSource: (url: string) => EventSource
  readonly random: () => number
}

const browser: LiveDeps = { createSource: (url) => new EventSource(url), random: Math.random }

/** Returns how to end it. */
export function openLiveStream<M = LiveMinute>(
  url: string,
  handlers: LiveHandlers<M>,
  deps: LiveDeps = browser,
): () => void {
  let source: EventSource
  let failures = 0
  let wasConnected = false
  let silence: ReturnType<typeof setTimeout> | undefined
  let retry: ReturnType<typeof setTimeout> | undefined

  const heard = () => {
    clearTimeout(silence)
    silence = setTimeout(comeBack, silenceMsMax)
  }
  const comeBack = () => {
    source.close()
    clearTimeout(silence)
    clearTimeout(retry)
    handlers.onState('reconnecting')
    const waitMs = Math.min(retryMsMax, retryMsMin * 2 ** failures++)
    retry = setTimeout(connect, waitMs * (0.5 + deps.random() / 2))
  }
  const connect = () => {
    source = deps.createSource(url)
    heard()
    source.onopen = () => {
      failures = 0
      handlers.onState('connected')
      if (wasConnected) handlers.onGap()
      wasConnected = true
      heard()
    }
    source.onerror = () => {
      if (source.readyState === closed) comeBack()
      else handlers.onState('reconnecting')
    }
    source.addEventListener('minute', (event) => {
      heard()
      handlers.onMinute(JSON.parse(event.data) as M)
    })
    source.addEventListener('status', (event) => {
      heard()
      handlers.onStatus(JSON.parse(event.data) as LiveStatus)
    })
    source.addEventListener('progress', (event) => {
      heard()
      handlers.onProgress?.(JSON.parse(event.data) as LiveProgress)
    })
    source.addEventListener('reset', () => {
      heard()
      handlers.onGap()
    })
  }

  handlers.onState('connecting')
  connect()
  return () => {
    clearTimeout(silence)
    clearTimeout(retry)
    source.close()
  }
}
