/**
 * Whether a sample's time can be taken: a safe integer of ms since the epoch, not further in the past than retention and not
 * further ahead of the collector's clock than a few minutes. Times are never corrected. Bounds are both inclusive.
 */
import { minuteMs } from '@minutely/schema/limits'
import type { RejectReason } from '@minutely/schema/sample-wire'
import { shown } from './judge-series.ts'

export interface TimeBounds {
  readonly nowMs: number
  readonly oldestMs: number
  readonly newestMs: number
}

export function timeBounds(nowMs: number, config: { sampleAgeMsMax: number; sampleFutureMsMax: number }): TimeBounds {
  return { nowMs, oldestMs: Math.max(0, nowMs - config.sampleAgeMsMax), newestMs: nowMs + config.sampleFutureMsMax }
}

/** Null when `tsMs` is an instant within the bounds. */
export function timeReason(tsMs: unknown, bounds: TimeBounds): RejectReason | null {
  if (!isInstant(tsMs)) return 'time-invalid'
  if (tsMs > bounds.newestMs) return 'time-in-future'
  return tsMs < bounds.oldestMs ? 'time-too-old' : null
}

export function isInstant(tsMs: unknown): tsMs is number {
  return Number.isSafeInteger(tsMs) && (tsMs as number) >= 0
}

/** For a time that timeReason refused. */
export function timeDetail(tsMs: unknown, bounds: TimeBounds): string {
  const advice = unitAdvice(tsMs, bounds)
  if (!isInstant(tsMs)) return `the time must be a whole number of ms since the epoch, not ${shown(tsMs)}${advice}`
  if (tsMs > bounds.newestMs) {
    return (
      `${describe(tsMs)} is ${seconds(tsMs - bounds.nowMs)} ahead of the collector's clock (${describe(bounds.nowMs)}), ` +
      `at most ${seconds(bounds.newestMs - bounds.nowMs)} is accepted${advice || ": set the host's clock"}`
    )
  }
  return (
    `${describe(tsMs)} is ${seconds(bounds.nowMs - tsMs)} behind the collector's clock (${describe(bounds.nowMs)}), ` +
    `at most ${seconds(bounds.nowMs - bounds.oldestMs)} is accepted${advice}`
  )
}

/** What a clock in another unit than ms has to be multiplied with. */
const otherUnits = { seconds: 1000, microseconds: 1e-3, nanoseconds: 1e-6 } as const
/** Near enough to now to be meant: read as ms, the same number is in 1970, or in the year 50,000 and later. */
const nearMs = 365 * 1440 * minuteMs

/** The likeliest mistake of all deserves its name; empty when this is another one. */
function unitAdvice(ts: unknown, { nowMs }: Pick<TimeBounds, 'nowMs'>): string {
  if (typeof ts !== 'number') return ''
  for (const [unit, factor] of Object.entries(otherUnits)) {
    if (Math.abs(ts * factor - nowMs) <= nearMs) return `; this looks like ${unit}: send ms since the epoch`
  }
  return ''
}

const seconds = (durationMs: number): string => `${durationMs / 1000} s`

/** Dates end at 8.64e15 ms. */
const describe = (tsMs: number): string => (tsMs <= 8.64e15 ? new Date(tsMs).toISOString() : `${tsMs} ms`)

/** Null when a grid of such slots has times at all, else what is wrong with it. */
export function gridProblem(
  { startMs, stepMs }: { startMs: unknown; stepMs: unknown },
  bounds: TimeBounds,
): string | null {
  if (!isInstant(startMs)) {
    const problem =
      startMs === undefined
        ? 'neither the series nor the request has one'
        : `not ${shown(startMs)}${unitAdvice(startMs, bounds)}`
    return `startMs must be the time of the first value, a whole number of ms since the epoch: ${problem}`
  }
  if (Number.isSafeInteger(stepMs) && (stepMs as number) >= 1) return null
  return `stepMs must be a whole number of ms, at least 1, not ${shown(stepMs)}`
}

/**
 * The slots [from, to) of a grid whose times lie within the bounds. startMs is an instant, stepMs >= 1; products beyond
 * 2^53 are inexact but far in the future, which is all that is asked of them.
 */
export function slotsWithin(
  grid: { startMs: number; stepMs: number; slotCount: number },
  bounds: TimeBounds,
): { from: number; to: number } {
  const { startMs, stepMs, slotCount } = grid
  const from = Math.min(slotCount, Math.max(0, Math.ceil((bounds.oldestMs - startMs) / stepMs)))
  const to = Math.min(slotCount, Math.max(from, Math.floor((bounds.newestMs - startMs) / stepMs) + 1))
  return { from, to }
}
