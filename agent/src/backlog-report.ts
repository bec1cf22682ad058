/**
 * What the log says of an outage: that it lasts, with what waits and the room that is left; that it is over; and that what had waited is
 * delivered.
 *
 *   fails ── 1 min ── 5 min ── 30 min ── 1 h ── 2 h ...   answers again ── what had waited is gone
 *            └───────── a reminder each ─────────┘        "N wait"         "N delivered in T", once
 *
 * Reminders come with a request that failed, so a few tens of seconds after they are due; no timer is needed. What an earlier run left
 * in the spool is said to be delivered too. Instants and durations are monotonic ms.
 */
import type { Logger } from '@minutely/lib/logging'
import type { BatchQueue, QueuedBatch } from './batch-queue.ts'

const minuteMs = 60_000
const hourMs = 60 * minuteMs
const mebibyte = 1_048_576
const firstRemindersMs = [minuteMs, 5 * minuteMs, 30 * minuteMs]

export interface BacklogReportDeps {
  readonly queue: Pick<BatchQueue, 'waiting' | 'oldestSequence' | 'newestSequence'>
  readonly log: Logger
  readonly monotonicMs: () => number
  /** How much more can wait and where, for a person. */
  readonly room: () => string
}

export class BacklogReport {
  readonly #deps: BacklogReportDeps
  #outage: { readonly sinceMs: number; reminderCount: number; failedAttempts: number } | undefined
  #catchUp: { readonly sinceMs: number; readonly throughSequence: number; samples: number } | undefined

  constructor(deps: BacklogReportDeps) {
    this.#deps = deps
  }

  /** Since the collector last answered. */
  get failedAttempts(): number {
    return this.#outage?.failedAttempts ?? 0
  }

  /** A request failed, and is tried again. */
  failed(): void {
    const nowMs = this.#deps.monotonicMs()
    this.#outage ??= { sinceMs: nowMs, reminderCount: 0, failedAttempts: 0 }
    const outage = this.#outage
    outage.failedAttempts += 1
    const elapsedMs = nowMs - outage.sinceMs
    if (elapsedMs < reminderMs(outage.reminderCount)) return
    // Of those that became due since the last attempt one is enough.
    while (elapsedMs >= reminderMs(outage.reminderCount)) outage.reminderCount += 1
    const { samples } = this.#deps.queue.waiting
    this.#deps.log.warn(
      { samples, failedAttempts: outage.failedAttempts },
      `the collector has taken nothing for ${durationText(elapsedMs)}: ${samples} samples wait; ${this.#deps.room()}`,
    )
  }

  /** The collector answered for these; they have left the queue. */
  answered(batches: readonly Pick<QueuedBatch, 'sequence'>[], { acceptedCount }: { acceptedCount: number }): void {
    const { queue, monotonicMs } = this.#deps
    const nowMs = monotonicMs()
    const catchUp = this.#catchUp
    if (catchUp !== undefined && batches.some(({ sequence }) => sequence <= catchUp.throughSequence)) {
      catchUp.samples += acceptedCount
    }
    if (this.#outage !== undefined) this.#sayOver(nowMs)
    // What an earlier run left has no outage in this one.
    else if (catchUp === undefined && queue.oldestSequence <= 0) {
      this.#catchUp = { sinceMs: nowMs, throughSequence: 0, samples: 0 }
    }
    this.#sayCaughtUp(nowMs)
  }

  #sayOver(nowMs: number): void {
    const { queue, log } = this.#deps
    const { sinceMs = nowMs, failedAttempts } = this.#outage ?? {}
    this.#outage = undefined
    const { samples } = queue.waiting
    const waiting = samples > 0 ? `: ${samples} samples wait, they are sent beside new ones` : ''
    log.info({ failedAttempts }, `the collector answers again after ${durationText(nowMs - sinceMs)}${waiting}`)
    if (samples === 0) return
    const { sinceMs: catchUpSinceMs = nowMs, samples: delivered = 0 } = this.#catchUp ?? {}
    this.#catchUp = { sinceMs: catchUpSinceMs, throughSequence: queue.newestSequence, samples: delivered }
  }

  #sayCaughtUp(nowMs: number): void {
    const catchUp = this.#catchUp
    if (catchUp === undefined || this.#deps.queue.oldestSequence <= catchUp.throughSequence) return
    this.#catchUp = undefined
    const { samples, sinceMs } = catchUp
    const took = durationText(nowMs - sinceMs)
    this.#deps.log.info(
      { samples },
      `caught up: ${samples} samples that had waited are delivered, within ${took} of its answering`,
    )
  }
}

/** Since the outage began. */
function reminderMs(index: number): number {
  return firstRemindersMs[index] ?? (index - firstRemindersMs.length + 1) * hourMs
}

/** Two digits are enough to act on: `45 s`, `12 min`, `3.5 h`. */
export function durationText(durationMs: number): string {
  if (durationMs < 1.5 * minuteMs) return `${Math.round(durationMs / 1000)} s`
  if (durationMs < 1.5 * hourMs) return `${Math.round(durationMs / minuteMs)} min`
  return `${Math.round((durationMs / hourMs) * 10) / 10} h`
}

/** Of what may be kept, how much more fits. */
export function roomText(kept: { bytes: number; bytesMax: number; ageMsMax: number; where: string }): string {
  const { bytes, bytesMax, ageMsMax, where } = kept
  const inMebibytes = (some: number): string => (some / mebibyte).toFixed(1).replace(/\.0$/, '')
  const left = `${inMebibytes(Math.max(0, bytesMax - bytes))} of ${inMebibytes(bytesMax)} MiB are left ${where}`
  return `${left}, samples are kept for ${durationText(ageMsMax)}`
}
