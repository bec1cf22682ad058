/**
 * Gathers sections of all requests for a short while and appends them together: the log's cost is per append and touched
 * partition, hardly per sample. A request's promise resolves when the append that holds its sections is durable.
 *
 *     requests ──> gathering ──(lingerMs, or lingerBytesMax)──> queue ──(a slot is free)──> in flight ──> durable
 *                  └─────────────── bytesHeld <= appendQueueBytesMax, else 503 ──────────┘
 *                                  └── appendDeadlineMs from here on, else 503 ──┘
 *
 * Invariants: at most appendsInFlightMax appends at once; a slot and its bytes are given back only when the log settles the
 * append, even if its requests were answered with 503 long before (a log that hangs must not pile up more). All sections
 * of a request are in one append, in order. Nothing is retried here: the client does, and folding twice changes nothing.
 */
import type { Clock } from '@minutely/lib/clock'
import { type Logger, warnBriefly } from '@minutely/lib/logging'
import {
  type LogAppend,
  type LogPartition,
  LogUnavailableError,
  type SampleLog,
} from '@minutely/lib/sample-log/sample-log'
import type { ApiError } from '@minutely/schema/error-catalogue'
import type { CollectorConfig } from './config.ts'
import type { CollectorMetrics } from './metrics.ts'
import { overload } from './overload.ts'
import {
  asSentBatch,
  type Gathered,
  gatheredBytes,
  packPartition,
  payloadBytes,
  type SentBody,
} from './record-packing.ts'
import { partitionKey, type RoutedSection, splitByRouting } from './series-routing.ts'

export interface LingerDeps {
  readonly clock: Clock
  readonly sampleLog: Pick<SampleLog, 'append' | 'takesBundles'>
  readonly metrics: CollectorMetrics
  readonly log: Logger
  /** 0 <= random() < 1. */
  readonly random: () => number
  readonly config: Pick<
    CollectorConfig,
    'lingerMs' | 'lingerBytesMax' | 'recordBytesMax' | 'appendDeadlineMs' | 'appendsInFlightMax' | 'appendQueueBytesMax'
  >
}

interface Gathering {
  readonly partitions: Map<string, { readonly partition: LogPartition; readonly gathered: Gathered[] }>
  readonly done: PromiseWithResolvers<void>
  /** In memory. */
  bytes: number
  /** In the log's records, about. */
  payloadBytes: number
  sectionCount: number
  cancelTimer: () => void
  isExpired: boolean
}

/** What compresses better than this is appended early: it must not fill the queue's memory. */
const memoryPerPayloadMax = 16

const refusalId = { 'readers-lag': 'log-full', disk: 'disk-full', other: 'log-unavailable' } as const

export class Linger {
  readonly #deps: LingerDeps
  readonly #queue: Gathering[] = []
  readonly #inFlight = new Set<Gathering>()
  #gathering: Gathering | undefined
  #bytesHeld = 0
  #sectionsHeld = 0
  #isStopping = false

  constructor(deps: LingerDeps) {
    this.#deps = deps
    deps.metrics.lingerBytesMax.set(deps.config.appendQueueBytesMax)
  }

  /** Null while the log answers. */
  readonly problem = (): string | null => {
    if (this.#isStopping) return 'collector: is stopping'
    const hung = [...this.#inFlight].filter(({ isExpired }) => isExpired).length
    if (hung === 0) return null
    return `collector: the sample log has not confirmed ${hung} append(s) within ${this.#deps.config.appendDeadlineMs} ms`
  }

  /**
   * Resolves once all sections are durable. `sent`: a body that says just these sections, which a log may keep as it is.
   * @throws ApiError overloaded, log-unavailable, log-full or disk-full; some of the sections may then be durable all the same.
   */
  append(sections: readonly RoutedSection[], sent?: SentBody): Promise<void> {
    if (sections.length === 0) return Promise.resolve()
    if (this.#isStopping)
      return Promise.reject(this.#refusal('The collector is stopping; retry, another one may answer'))
    const { appendQueueBytesMax, lingerBytesMax, recordBytesMax } = this.#deps.config
    const batch = sent && this.#deps.sampleLog.takesBundles ? asSentBatch(sections, sent, recordBytesMax) : undefined
    const placed = batch === undefined ? sections.flatMap(splitByRouting) : [batch]
    const bytes = placed.reduce((sum, { gathered }) => sum + gatheredBytes(gathered), 0)
    if (this.#bytesHeld + bytes > appendQueueBytesMax) {
      const waiting = `${this.#bytesHeld} bytes of samples are waiting for the log, ${appendQueueBytesMax} may`
      return Promise.reject(this.#refusal(`${waiting}; retry later`))
    }
    const gathering = this.#gathering ?? this.#open()
    for (const { partition, gathered } of placed) {
      const key = partitionKey(partition)
      const place = gathering.partitions.get(key) ?? { partition, gathered: [] }
      gathering.partitions.set(key, place)
      place.gathered.push(gathered)
      gathering.payloadBytes += payloadBytes(gathered)
    }
    gathering.bytes += bytes
    gathering.sectionCount += sections.length
    this.#hold(bytes, sections.length)
    const isLarge = gathering.bytes >= lingerBytesMax * memoryPerPayloadMax
    if (isLarge || gathering.payloadBytes >= lingerBytesMax) this.#seal(gathering)
    return gathering.done.promise
  }

  /** Refuses what comes from now on, appends what is gathered, and waits for it at most appendDeadlineMs. */
  async stop(): Promise<void> {
    this.#isStopping = true
    const gathering = this.#gathering
    if (gathering !== undefined) this.#seal(gathering)
    const pending = [...this.#queue, ...this.#inFlight].map(({ done }) => done.promise)
    await Promise.allSettled(pending)
  }

  #open(): Gathering {
    const gathering: Gathering = {
      partitions: new Map(),
      done: Promise.withResolvers(),
      bytes: 0,
      payloadBytes: 0,
      sectionCount: 0,
      cancelTimer: this.#deps.clock.schedule(this.#deps.config.lingerMs, () => this.#seal(gathering)),
      isExpired: false,
    }
    this.#gathering = gathering
    return gathering
  }

  #seal(gathering: Gathering): void {
    this.#gathering = undefined
    gathering.cancelTimer()
    gathering.cancelTimer = this.#deps.clock.schedule(this.#deps.config.appendDeadlineMs, () => this.#expire(gathering))
    this.#queue.push(gathering)
    this.#pump()
  }

  #pump(): void {
    while (this.#inFlight.size < this.#deps.config.appendsInFlightMax) {
      const next = this.#queue.shift()
      if (next === undefined) break
      this.#inFlight.add(next)
      void this.#send(next)
    }
    this.#deps.metrics.appendsInFlight.set(this.#inFlight.size)
  }

  async #send(gathering: Gathering): Promise<void> {
    const { clock, metrics, sampleLog } = this.#deps
    const startedMs = clock.nowMs()
    let result = 'confirmed'
    try {
      await sampleLog.append(this.#encode(gathering))
      gathering.done.resolve()
    } catch (error) {
      result = 'refused'
      gathering.done.reject(this.#unavailable(error))
    }
    metrics.appendDuration.observe({ result }, (clock.nowMs() - startedMs) / 1000)
    gathering.cancelTimer()
    this.#inFlight.delete(gathering)
    this.#hold(-gathering.bytes, -gathering.sectionCount)
    this.#pump()
  }

  #encode(gathering: Gathering): LogAppend[] {
    const { recordBytesMax } = this.#deps.config
    const receivedAtMs = this.#deps.clock.nowMs()
    const appends: LogAppend[] = []
    for (const { partition, gathered } of gathering.partitions.values()) {
      for (const packed of packPartition(gathered, { receivedAtMs, recordBytesMax }))
        appends.push({ ...partition, ...packed })
    }
    return appends
  }

  #expire(gathering: Gathering): void {
    gathering.isExpired = true
    const waiting = this.#queue.indexOf(gathering)
    if (waiting >= 0) {
      this.#queue.splice(waiting, 1)
      this.#hold(-gathering.bytes, -gathering.sectionCount)
    }
    const { appendDeadlineMs } = this.#deps.config
    const message = `The sample log did not confirm within ${appendDeadlineMs} ms; send the same request again`
    gathering.done.reject(overload('log-unavailable', message, this.#deps))
  }

  #unavailable(error: unknown): ApiError {
    const { log, random } = this.#deps
    const isKnown = error instanceof LogUnavailableError
    if (isKnown) warnBriefly(log, error, { message: 'the sample log refused an append' })
    else log.warn({ err: error }, 'an append to the sample log failed unexpectedly')
    const id = isKnown ? refusalId[error.full || 'other'] : refusalId.other
    const reason = isKnown ? error.message : 'the append failed'
    return overload(id, `The samples are not durable: ${reason}; send the same request again`, { random, cause: error })
  }

  #refusal(message: string): ApiError {
    return overload('overloaded', message, this.#deps)
  }

  #hold(bytes: number, sectionCount: number): void {
    this.#bytesHeld += bytes
    this.#sectionsHeld += sectionCount
    this.#deps.metrics.lingerBytes.set(this.#bytesHeld)
    this.#deps.metrics.lingerSections.set(this.#sectionsHeld)
  }
}
