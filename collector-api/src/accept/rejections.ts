/**
 * What was refused of one request: counted by reason (exactly), and listed by (metric, reason) for the answer.
 *
 * The answer has at most entriesMax entries. The first metrics get their own; the others share one entry a reason, called
 * otherMetrics, so that counts in the answer always add up to all that was refused. Details are built only for the
 * first sample of an entry: a request can hold half a million bad samples.
 */
import { metricIdLengthMax } from '@minutely/schema/limits'
import { type Rejection, type RejectReason, rejectReasons } from '@minutely/schema/sample-wire'

export const entriesMax = 100
export const otherMetrics = '(other metrics)'

interface Entry {
  readonly metricId: string
  readonly reason: RejectReason
  count: number
  readonly detail: string
}

export class Rejections {
  /** Samples, by reason. */
  readonly countByReason = new Map<RejectReason, number>()
  #total = 0
  /** Nested rather than one joined key: a metric's name may be anything here. */
  readonly #entries = new Map<string, Map<RejectReason, Entry>>()
  readonly #others = new Map<RejectReason, Entry>()
  #entryCount = 0

  get total(): number {
    return this.#total
  }

  /** count may be 0, which adds nothing. metricId as it was sent: anything at all. */
  add(metricId: unknown, reason: RejectReason, refused: { count: number; detail: () => string }): void {
    if (refused.count === 0) return
    this.#total += refused.count
    this.countByReason.set(reason, (this.countByReason.get(reason) ?? 0) + refused.count)
    const shown = shownMetricId(metricId)
    const isCrowded = this.#entryCount >= entriesMax - rejectReasons.length
    const entry = this.#entries.get(shown)?.get(reason) ?? (isCrowded ? this.#others.get(reason) : undefined)
    if (entry !== undefined) entry.count += refused.count
    else
      this.#open({ metricId: isCrowded ? otherMetrics : shown, reason, count: refused.count, detail: refused.detail() })
  }

  list(): Rejection[] {
    const own = [...this.#entries.values()].flatMap((byReason) => [...byReason.values()])
    return [...own, ...this.#others.values()]
  }

  #open(entry: Entry): void {
    if (entry.metricId === otherMetrics) {
      this.#others.set(entry.reason, entry)
      return
    }
    const byReason = this.#entries.get(entry.metricId) ?? new Map<RejectReason, Entry>()
    this.#entries.set(entry.metricId, byReason.set(entry.reason, entry))
    this.#entryCount++
  }
}

function shownMetricId(metricId: unknown): string {
  if (metricId === undefined) return '(missing)'
  if (typeof metricId !== 'string')
    return metricId === null ? '(null)' : `(${Array.isArray(metricId) ? 'array' : typeof metricId})`
  return metricId.length <= metricIdLengthMax ? metricId : `${metricId.slice(0, metricIdLengthMax)}…`
}
