/**
 * What was refused of one request: counted by reason and by host (exactly), and listed by (metric, reason) for the answer.
 *
 * The answer has at most entriesMax entries. The first metrics get their own; the others share one entry a reason, called
 * otherMetrics, so that counts in the answer always add up to all that was refused. Details are built only for the
 * first sample of an entry: a request can hold half a million bad samples.
 */
import { noValidHost, otherHosts } from '@minutely/schema/ingest-names'
import { metricIdLengthMax, serverIdLengthMax } from '@minutely/schema/limits'
import { type Rejection, type RejectReason, rejectReasons } from '@minutely/schema/sample-wire'
import { serverIdProblem, shown } from './judge-series.ts'

export const entriesMax = 100
export const otherMetrics = '(other metrics)'
/** Of one request. */
const hostsMax = 1_000

/** Where in the request: `samples[3]`, `series[1].values[4]`, `blocks[0].series[2]`. */
export interface SentPlace {
  readonly list: 'samples' | 'series' | 'blocks' | `blocks[${number}].series`
  readonly index: number
  /** Of a series' values. */
  readonly slot?: number
  /** Only when the request is about several servers; as it was sent. */
  readonly serverId?: unknown
}

export interface Refused {
  readonly count: number
  /** Of the first of them. */
  readonly place: SentPlace
  readonly detail: () => string
}

type Entry = { -readonly [K in keyof Rejection]: Rejection[K] }

export class Rejections {
  /** Samples, by reason. */
  readonly countByReason = new Map<RejectReason, number>()
  /** The same by host, as valid names; others are under noValidHost, those past hostsMax under otherHosts. */
  readonly countByHost = new Map<string, Map<RejectReason, number>>()
  /** As sent: whose samples are judged now. */
  serverId: unknown
  #total = 0
  /** Nested rather than one joined key: a metric's name may be anything here. */
  readonly #entries = new Map<string, Map<RejectReason, Entry>>()
  readonly #others = new Map<RejectReason, Entry>()
  #entryCount = 0

  get total(): number {
    return this.#total
  }

  /** count may be 0, which adds nothing. metricId as it was sent: anything at all. */
  add(metricId: unknown, reason: RejectReason, refused: Refused): void {
    if (refused.count === 0) return
    this.#total += refused.count
    this.countByReason.set(reason, (this.countByReason.get(reason) ?? 0) + refused.count)
    this.#countHost(reason, refused.count)
    const name = shownMetricId(metricId)
    const isCrowded = this.#entryCount >= entriesMax - rejectReasons.length
    const entry = this.#entries.get(name)?.get(reason) ?? (isCrowded ? this.#others.get(reason) : undefined)
    if (entry !== undefined) entry.count += refused.count
    else this.#open(entryOf(isCrowded ? otherMetrics : name, reason, refused))
  }

  list(): Rejection[] {
    const own = [...this.#entries.values()].flatMap((byReason) => [...byReason.values()])
    return [...own, ...this.#others.values()]
  }

  #countHost(reason: RejectReason, count: number): void {
    const isCrowded = this.countByHost.size >= hostsMax
    const valid = serverIdProblem(this.serverId) === null ? (this.serverId as string) : noValidHost
    const host = isCrowded && !this.countByHost.has(valid) ? otherHosts : valid
    const counts = this.countByHost.get(host) ?? new Map<RejectReason, number>()
    this.countByHost.set(host, counts.set(reason, (counts.get(reason) ?? 0) + count))
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

function entryOf(metricId: string, reason: RejectReason, { count, place, detail }: Refused): Entry {
  const { list, index, slot, serverId } = place
  const value = slot === undefined ? '' : `.values[${slot}]`
  const owner = typeof serverId === 'string' ? ` of server ${shown(serverId)}` : ''
  return {
    metricId,
    reason,
    count,
    detail: `${list}[${index}]${value}${owner}: ${detail()}`,
    firstIndex: index,
    ...(typeof serverId === 'string' ? { serverId: cut(serverId, serverIdLengthMax) } : {}),
  }
}

function shownMetricId(metricId: unknown): string {
  if (metricId === undefined) return '(missing)'
  if (typeof metricId !== 'string')
    return metricId === null ? '(null)' : `(${Array.isArray(metricId) ? 'array' : typeof metricId})`
  return cut(metricId, metricIdLengthMax)
}

function cut(text: string, lengthMax: number): string {
  return text.length <= lengthMax ? text : `${text.slice(0, lengthMax)}…`
}
