/**
 * What a collector reports of what it was sent (lib/src/ingest-report): accepted, rejected by reason and host, requests refused as
 * a whole. Hosts are names that strangers write, so few of them are named, and the rest share one name:
 *
 *   add ──> this interval: at most trackedMax hosts ──(before a report)──> the worst are named, hostsMax at a time
 *                                                                          a name is kept until a day without a refusal
 */
import type { Clock } from '@minutely/lib/clock'
import type { IngestCounter } from '@minutely/lib/ingest-report/ingest-report'
import type { ErrorId } from '@minutely/schema/error-catalogue'
import { noValidHost, otherHosts } from '@minutely/schema/ingest-names'
import { minuteMs } from '@minutely/schema/limits'
import type { RejectReason } from '@minutely/schema/sample-wire'
import type { Rejections } from './accept/rejections.ts'

/** Between two reports: about 2 MB. */
const trackedMax = 10_000
const forgetAfterMs = 1_440 * minuteMs

type Counts = Map<RejectReason, number>

export interface IngestCountsDeps {
  readonly clock: Clock
  readonly ingest: IngestCounter
  readonly config: { readonly ingestHostsMax: number }
}

export class IngestCounts {
  readonly #deps: IngestCountsDeps
  readonly #hosts = new Map<string, Counts>()
  /** When each was refused something last, ms since the epoch. */
  readonly #named = new Map<string, number>()

  constructor(deps: IngestCountsDeps) {
    this.#deps = deps
  }

  /** Of a request that was answered for good. */
  judged(acceptedCount: number, { countByHost }: Pick<Rejections, 'countByHost'>): void {
    this.#deps.ingest.add('samples', { outcome: 'accepted' }, acceptedCount)
    for (const [host, counts] of countByHost) {
      const isCrowded = this.#hosts.size >= trackedMax && !this.#hosts.has(host)
      const into = this.#countsOf(isCrowded ? otherHosts : host)
      for (const [reason, count] of counts) into.set(reason, (into.get(reason) ?? 0) + count)
    }
  }

  refused(error: ErrorId): void {
    this.#deps.ingest.add('requests', { error }, 1)
  }

  /** Before a report. */
  readonly report = (): void => {
    const nowMs = this.#deps.clock.nowMs()
    for (const [host, lastMs] of this.#named) if (nowMs - lastMs > forgetAfterMs) this.#named.delete(host)
    const worstFirst = [...this.#hosts].sort(([, a], [, b]) => totalOf(b) - totalOf(a))
    for (const [host, counts] of worstFirst) {
      const shownHost = this.#nameOf(host, nowMs)
      for (const [reason, count] of counts) {
        this.#deps.ingest.add('samples', { outcome: 'rejected', reason, host: shownHost }, count)
      }
    }
    this.#hosts.clear()
  }

  #nameOf(host: string, nowMs: number): string {
    if (host === noValidHost || host === otherHosts) return host
    if (!this.#named.has(host) && this.#named.size >= this.#deps.config.ingestHostsMax) return otherHosts
    this.#named.set(host, nowMs)
    return host
  }

  #countsOf(host: string): Counts {
    const counts = this.#hosts.get(host) ?? new Map()
    this.#hosts.set(host, counts)
    return counts
  }
}

function totalOf(counts: Counts): number {
  let total = 0
  for (const count of counts.values()) total += count
  return total
}
