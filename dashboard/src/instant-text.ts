/**
 * Instants (ms since the epoch) as people read them: clock times in the browser's own time zone, distances from now, and
 * whether a server still reports.
 */
import { minuteMs } from './time-range.ts'

/**
 * A server's last seen is the end of its newest stored minute, which is stored 10 s after it ended: right after that it is
 * 10 s old, right before the next one 70 s. Two minutes more allow for a slow agent before we call it stale.
 */
const freshMsMax = 190_000

export function isFresh(lastSeenMs: number, nowMs: number): boolean {
  return nowMs - lastSeenMs < freshMsMax
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
  return new Date(instantMs).toLocaleDateString('en-GB', { weekday: 'short', day: 'numeric', month: 'short' })
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
