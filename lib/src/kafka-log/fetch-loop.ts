/**
 * Fetches from one broker for all partitions it leads, in one request after the other, as a session (fetch-session.ts): what a
 * reader does not want now is left out of it. A broker that hangs holds up its own partitions only.
 *
 *   who wants? ──> none: sleep until woken
 *       └──> at least fetchEveryMs after the last one ──> fetch (the broker may hold it while it has nothing) ──> to each its part
 *
 * When the budget of the process is used up, only partitions whose reader waits with nothing at hand are fetched, so that all go on.
 */
import type { Clock } from '../clock.ts'
import type { Logger } from '../logging.ts'
import type { FetchBudget } from './fetch-budget.ts'
import { FetchSession } from './fetch-session.ts'
import { type KafkaCluster, keyOf, type Outcome } from './kafka-cluster.ts'
import type { KafkaLogMetrics } from './kafka-log-metrics.ts'
import type { KafkaLogConfig } from './kafka-log-settings.ts'
import { errorName, KafkaError } from './kafka-wire.ts'
import type { FetchAnswer, FetchedPart } from './log-requests.ts'
import type { FetchTicket, PartitionReader } from './partition-reader.ts'
import type { TopicRegistry } from './topic-registry.ts'

/** How long a broker may hold a fetch while it has nothing. A partition that joins meanwhile waits so long at most. */
export const pollMs = 500
/**
 * Of more partitions than this no fetch is held: each would be registered as waiting, and read once more in the end. They are asked
 * again after fetchEveryMs, and their records are read so much later at most.
 */
const heldPartitionsMax = 256
const requestBytesMax = 16 * 1024 * 1024
/** What a fetch may bring while the budget is used up. */
const scarceBytes = 1024 * 1024
const retryMs = 250
const failedRetryMsMax = 2_000
const sleepMs = 250

export interface FetchLoopDeps {
  readonly cluster: KafkaCluster
  readonly registry: TopicRegistry
  readonly budget: FetchBudget
  readonly clock: Clock
  readonly log: Logger
  readonly metrics: KafkaLogMetrics
  readonly readers: () => Iterable<PartitionReader>
  readonly nextSequence: () => number
}

/** The broker has forgotten the session, or we have lost count in it: nothing has failed but that. */
const lostSessionCodes = new Set(['FETCH_SESSION_ID_NOT_FOUND', 'INVALID_FETCH_SESSION_EPOCH'])

type Tickets = ReadonlyMap<string, FetchTicket>

export class FetchLoop {
  readonly #nodeId: number
  readonly #config: KafkaLogConfig
  readonly #deps: FetchLoopDeps
  readonly #session = new FetchSession()
  #wake: () => void = () => {}
  #isWoken = false
  #lastMs = Number.NEGATIVE_INFINITY
  #failures = 0

  constructor(nodeId: number, config: KafkaLogConfig, deps: FetchLoopDeps) {
    this.#nodeId = nodeId
    this.#config = config
    this.#deps = deps
  }

  wake(): void {
    this.#isWoken = true
    this.#wake()
  }

  async run(signal: AbortSignal): Promise<void> {
    const { clock } = this.#deps
    while (!signal.aborted) {
      await clock.sleep(this.#lastMs + this.#config.fetchEveryMs - clock.nowMs(), signal)
      if (signal.aborted) return
      const readers = this.#choose()
      if (readers.length === 0) {
        await this.#sleep(signal)
        continue
      }
      this.#lastMs = clock.nowMs()
      const sequence = this.#deps.nextSequence()
      const tickets: Tickets = new Map(readers.map((reader) => [reader.key, reader.ticket(sequence, this.#nodeId)]))
      const failure = await this.#fetch(tickets).catch((error: Error) => error)
      // Before any wait: another broker may lead them by now.
      for (const reader of readers) {
        reader.isFetching = false
        if (failure !== undefined) reader.failed()
      }
      this.#failures = failure === undefined ? 0 : this.#failures + 1
      if (failure !== undefined) await this.#failed(failure, signal)
    }
  }

  /**
   * In a session the broker lets them take turns. Where one begins: those with a reader that waits first; of them, and of the
   * others, those that were served longest ago.
   */
  #choose(): PartitionReader[] {
    const { registry, budget, clock, readers } = this.#deps
    const nowMs = clock.nowMs()
    const isScarce = budget.freeBytes <= 0
    const chosen: PartitionReader[] = []
    for (const reader of readers()) {
      if (registry.leaderOf(reader) !== this.#nodeId || !reader.wantsFetch(nowMs)) continue
      if (!isScarce || reader.waitMs !== undefined) chosen.push(reader)
    }
    if (!this.#session.isFull) return chosen
    const isIdle = (reader: PartitionReader): number => (reader.waitMs === undefined ? 1 : 0)
    return chosen.sort((a, b) => isIdle(a) - isIdle(b) || a.servedSequence - b.servedSequence)
  }

  async #fetch(tickets: Tickets): Promise<undefined> {
    const answer = await this.#request(tickets)
    if (answer === undefined) {
      for (const { reader } of tickets.values()) reader.failed()
      return undefined
    }
    const outOfRange: FetchedPart[] = []
    this.#session.answered(answer, (key, part) => {
      const ticket = tickets.get(key)
      if (ticket === undefined) return
      const code = errorName(part.errorCode)
      if (code === undefined ? !ticket.reader.accept(ticket, part) : code === 'OFFSET_OUT_OF_RANGE')
        outOfRange.push(part)
      else if (code !== undefined) this.#partFailed(ticket.reader, code)
    })
    if (outOfRange.length > 0) await this.#lookUpRanges(outOfRange, tickets)
    await this.#proveEnds(tickets)
    return undefined
  }

  /** @returns undefined when the session was lost: the next request begins another. */
  async #request(tickets: Tickets): Promise<FetchAnswer | undefined> {
    const { budget, cluster, metrics } = this.#deps
    const bytesMax = Math.max(scarceBytes, Math.min(requestBytesMax, budget.freeBytes))
    let waitMs = tickets.size > heldPartitionsMax ? Math.max(0, pollMs - this.#config.fetchEveryMs) : pollMs
    for (const { reader } of tickets.values()) waitMs = Math.min(waitMs, reader.waitMs ?? pollMs)
    metrics.fetches.inc({ kind: this.#session.isFull ? 'full' : 'incremental' })
    budget.reservedBytes += bytesMax
    try {
      return await cluster.fetch(this.#nodeId, this.#session.request(tickets), { waitMs: Math.floor(waitMs), bytesMax })
    } catch (error) {
      this.#session.failed()
      if (!(error instanceof KafkaError && lostSessionCodes.has(error.code))) throw error
      metrics.fetchErrors.inc({ reason: error.code })
      return undefined
    } finally {
      budget.reservedBytes -= bytesMax
    }
  }

  async #lookUpRanges(parts: readonly FetchedPart[], tickets: Tickets): Promise<void> {
    const { cluster, metrics } = this.#deps
    const [oldest, next] = await Promise.all([
      cluster.listOffsets(this.#nodeId, parts, 'oldest'),
      cluster.listOffsets(this.#nodeId, parts, 'next'),
    ])
    for (const part of parts) {
      const ticket = tickets.get(keyOf(part))
      const range = { oldest: positionOf(oldest.get(keyOf(part))), next: positionOf(next.get(keyOf(part))) }
      if (ticket === undefined) continue
      const { reader } = ticket
      metrics.fetchErrors.inc({ reason: errorName(part.errorCode) ?? 'ANCHOR_NOT_FOUND' })
      reader.retryAtMs = this.#deps.clock.nowMs() + retryMs
      if (range.oldest !== undefined && range.next !== undefined) {
        reader.outOfRange(ticket, { oldest: range.oldest, next: range.next })
      }
    }
  }

  /** A leader that has just taken over refuses to tell until it knows all that was acknowledged before: then it is asked again. */
  async #proveEnds(tickets: Tickets): Promise<void> {
    const { cluster, clock, metrics } = this.#deps
    const asked = [...tickets.values()].filter(({ reader }) => reader.end.isWanted)
    if (asked.length === 0) return
    const ends = await cluster.listOffsets(this.#nodeId, asked, 'next')
    for (const ticket of asked) {
      const end = positionOf(ends.get(ticket.reader.key))
      if (end !== undefined) ticket.reader.proveEnd(ticket, end)
      else {
        metrics.fetchErrors.inc({ reason: 'END_NOT_KNOWN' })
        ticket.reader.retryAtMs = clock.nowMs() + retryMs
      }
    }
  }

  #partFailed(reader: PartitionReader, code: string): void {
    const { registry, clock, metrics } = this.#deps
    metrics.fetchErrors.inc({ reason: code })
    reader.failed()
    reader.retryAtMs = clock.nowMs() + retryMs
    if (code === 'UNKNOWN_TOPIC_OR_PARTITION') registry.doubt(reader.topic)
    else registry.refresh().catch(() => {})
  }

  async #failed(error: Error, signal: AbortSignal): Promise<void> {
    const { clock, log, metrics, registry } = this.#deps
    metrics.fetchErrors.inc({ reason: error instanceof KafkaError ? error.code : 'BAD_ANSWER' })
    const waitMs = Math.min(failedRetryMsMax, retryMs * 2 ** Math.min(this.#failures - 1, 10))
    if (!signal.aborted) {
      log.warn({ err: error, broker: this.#nodeId }, `fetching from a broker failed; trying again in ${waitMs} ms`)
    }
    registry.refresh().catch(() => {})
    await clock.sleep(waitMs, signal)
  }

  async #sleep(signal: AbortSignal): Promise<void> {
    if (!this.#isWoken) {
      const waking = new AbortController()
      this.#wake = () => waking.abort()
      const stop = (): void => waking.abort()
      signal.addEventListener('abort', stop)
      // Also those that wait after an error, or for their leader, are looked at again.
      await this.#deps.clock.sleep(sleepMs, waking.signal)
      signal.removeEventListener('abort', stop)
      this.#wake = () => {}
    }
    this.#isWoken = false
  }
}

function positionOf(outcome: Outcome<number> | undefined): number | undefined {
  return outcome !== undefined && 'value' in outcome ? outcome.value : undefined
}
