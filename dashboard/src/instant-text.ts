/**
 * Instants (ms since the epoch) as people read them: clock times in the browser's own time zone, distances from now, and
 * whether a server still reports.
 */
import { minuteMs } from './time-range.ts'

/**
 * A server's last seen is the end of its newest stored minute (of a new server: the start of its first), so it says nothing
 * about seconds. That of a server which sends all the time is 10 s old when a minute was just stored and up to 75 s right
 * before the next one is, and a list is up to 15 s old: until 100 s all is well. It is late while a slow agent may still
 * catch up, which takes a minute or two, and stale after that.
 */
export type Freshness = 'live' | 'late' | 'stale'
const liveMsMax = 100_000
/** Made once: making one takes longer than all else about a row. */
const days = new Intl.DateTimeFormat('en-GB', { weekday: 'short', day: 'numeric', month: 'short' })
const lateMsMax = 190_000

export function freshnessOf(lastSeenMs: number, nowMs: number): Freshness {
  const ageMs = nowMs - lastSeenMs
  if (ageMs < liveMsMax) return 'live'
  return ageMs < lateMsMax ? 'late' : 'stale'
}

/** A server's last seen, as exact as it is known: "just now" while it is live, "2 min ago" from then on. */
export function seenText(lastSeenMs: number, nowMs: number): string {
  return freshnessOf(lastSeenMs, nowMs) === 'live' ? 'just now' : ago(lastSeenMs, nowMs)
}

/** "40 s ago", "3 min ago", "2 d ago". */
export function ago(instantMs: number, nowMs: number): string {
  const seconds = Math.max(0, Math.round((nowMs - instantMs) / 1000))
  if (seconds < 5) return 'just now'
  if (seconds < 100) return `${seconds} s ago`
  const minutes = Math.round(seconds / 60)
  if (minutes < 100) return `${minutes} min ago`
  const hours = Math.round(minutes / 60)
  return hours < 48 ? `${hours} h ago` : `${Math.round(hours / 24)} d ago`
}

/** 14:05 */
export function clock(instantMs: number): string {
  const date = new Date(instantMs)
  return `${two(date.getHours())}:${two(date.getMinutes())}`
}

/** Mon 24 Nov */
export function day(instantMs: number): string {
  return days.format(instantMs)
}

/** Mon 24 Nov 14:05, for one instant without context. */
export function dayAndClock(instantMs: number): string {
  return `${day(instantMs)} ${clock(instantMs)}`
}

/** 14:05, or with its day when that is not today. */
export function clockNear(instantMs: number, nowMs: number): string {
  return day(instantMs) === day(nowMs) ? clock(instantMs) : dayAndClock(instantMs)
}

/** The browser's zone: "Europe/Paris, UTC+1". */
export function timeZoneText(nowMs: number): string {
  const offsetMinutes = -new Date(nowMs).getTimezoneOffset()
  const size = Math.abs(offsetMinutes)
  const rest = size % 60 === 0 ? '' : `:${two(size % 60)}`
  const offset = offsetMinutes === 0 ? 'UTC' : `UTC${offsetMinutes < 0 ? '−' : '+'}${Math.floor(size / 60)}${rest}`
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone
  return zone === undefined || zone === 'UTC' || zone === 'Etc/UTC' ? offset : `${zone}, ${offset}`
}

/** How an axis of time is labelled: the clock, and the day where a new one begins. */
export function axisTexts(splitsMs: readonly number[]): string[] {
  return splitsMs.map((at) => {
    const date = new Date(at)
    if (date.getHours() === 0 && date.getMinutes() === 0)
      return date.toLocaleDateString('en-GB', { day: 'numeric', month: 'short' })
    return at % minuteMs === 0 ? clock(at) : ''
  })
}

function two(value: number): string {
  return String(value).padStart(2, '0')
}
