/**
 * Appends records: one request per broker that leads any of them, all partitions in it, acknowledged by all in-sync replicas.
 *
 *   append ──> topics there? make or redirect ──> by leader ──> one batch a partition ──> answers
 *                     ^                                                            │ some failed, and may be tried again
 *                     └───────────── look up leaders anew, wait a little <─────────┘ until sendTimeoutMs
 *
 * A record may be appended twice when an answer was lost: folding twice changes nothing. Parts that succeeded are not sent again. What
 * a broker refused without appending it (not its leader: for seconds after many topics were made) is tried until the deadline, what it may
 * have appended a few times only.
 * What cannot be sent (a topic deleted under us, a record too large) fails alone, after its neighbours were sent; the append as a
 * whole then fails. Bytes on their way are bounded by sendBytesMax; past it an append is refused at once.
 */
import pRetry, { AbortError } from 'p-retry'
import type { Clock } from '../clock.ts'
import { LogUnavailableError } from '../sample-log/sample-log.ts'
import { type KafkaCluster, keyOf, type TopicPartition } from './kafka-cluster.ts'
import type { KafkaLogMetrics } from './kafka-log-metrics.ts'
import type { KafkaLogConfig } from './kafka-log-settings.ts'
import { errorName, KafkaError } from './kafka-wire.ts'
import type { ProducePart } from './log-requests.ts'
import { encodeRecordBatch, type OutgoingRecord, recordBytes } from './record-batch.ts'
import type { TopicRegistry } from './topic-registry.ts'

/** Of a part that the broker may have appended all the same. */
const uncertainAttemptsMax = 3
const retryMsMin = 50
const retryMsMax = 500
/** Of a request in bytes: the brokers' own limit is 100 MiB (socket.request.max.bytes). */
const requestBytesMax = 32 * 1024 * 1024

export interface OutgoingTo extends TopicPartition {
  readonly record: OutgoingRecord
}

export interface KafkaProducerDeps {
  readonly cluster: KafkaCluster
  readonly registry: TopicRegistry
  readonly clock: Clock
  readonly metrics: KafkaLogMetrics
}

/** The records of one partition in one request. */
interface Part extends TopicPartition {
  readonly records: readonly OutgoingRecord[]
  readonly bytes: number
  failure?: { readonly code: string; readonly detail: string }
}

export class KafkaProducer {
  readonly #config: KafkaLogConfig
  readonly #deps: KafkaProducerDeps
  readonly #idle = new Set<() => void>()
  #bytesInFlight = 0
  #appending = 0

  constructor(config: KafkaLogConfig, deps: KafkaProducerDeps) {
    this.#config = config
    this.#deps = deps
  }

  get bytesInFlight(): number {
    return this.#bytesInFlight
  }

  /** @throws LogUnavailableError naming what was not appended, when anything was not. */
  async append(records: readonly OutgoingTo[]): Promise<void> {
    if (records.length === 0) return
    const bytes = records.reduce((sum, { record }) => sum + recordBytes(record), 0)
    const { sendBytesMax } = this.#config
    if (this.#bytesInFlight + bytes > sendBytesMax) {
      const message = `${this.#bytesInFlight} bytes are on their way to Kafka, ${sendBytesMax} may be, ${bytes} more came`
      throw new LogUnavailableError(message)
    }
    const { clock, metrics } = this.#deps
    const startedMs = clock.nowMs()
    this.#bytesInFlight += bytes
    this.#appending++
    let result = 'failed'
    try {
      await this.#appendBefore(records, startedMs + this.#config.sendTimeoutMs)
      result = 'confirmed'
    } finally {
      metrics.sendSeconds.observe({ result }, (clock.nowMs() - startedMs) / 1000)
      this.#bytesInFlight -= bytes
      this.#appending--
      if (this.#appending === 0) for (const resolve of this.#idle) resolve()
    }
  }

  /** Resolves when nothing is on its way. */
  async idle(): Promise<void> {
    while (this.#appending > 0) {
      const { promise, resolve } = Promise.withResolvers<void>()
      this.#idle.add(resolve)
      await promise
      this.#idle.delete(resolve)
    }
  }

  async #appendBefore(records: readonly OutgoingTo[], deadlineMs: number): Promise<void> {
    const { clock } = this.#deps
    let parts = gather(records, this.#config.batchBytesMax)
    let uncertainAttempts = 0
    const attempt = async (): Promise<void> => {
      await this.#send(parts, deadlineMs)
      parts = parts.filter(({ failure }) => failure !== undefined)
      if (parts.length === 0) return
      const error = failureOf(parts)
      const codes = parts.map(({ failure }) => failure?.code ?? '')
      if (!codes.every((code) => refusedCodes.has(code))) uncertainAttempts++
      const isFinal = codes.every((code) => finalCodes.has(code)) || uncertainAttempts >= uncertainAttemptsMax
      if (isFinal || clock.nowMs() + retryMsMax >= deadlineMs) throw new AbortError(error)
      await this.#deps.registry.refresh().catch(() => {})
      throw error
    }
    const limits = {
      retries: Number.POSITIVE_INFINITY,
      minTimeout: retryMsMin,
      maxTimeout: retryMsMax,
      randomize: true,
    }
    await this.#within(deadlineMs, () => pRetry(attempt, limits))
  }

  async #send(parts: readonly Part[], deadlineMs: number): Promise<void> {
    const { registry } = this.#deps
    const { topics, failures } = await registry
      .resolve(parts.map(({ topic }) => topic))
      .catch((error: Error) => ({ topics: new Map<string, string>(), failures: error }))
    const perLeader = new Map<number, Sending[]>()
    for (const part of parts) {
      delete part.failure
      const topic = topics.get(part.topic)
      if (topic === undefined) {
        part.failure = whyNotThere(part.topic, failures)
        continue
      }
      const to = { topic, partition: part.partition % registry.partitionCount(topic) }
      const leader = registry.leaderOf(to)
      if (leader < 0) {
        part.failure = { code: 'LEADER_NOT_AVAILABLE', detail: `${keyOf(to)} has no leader` }
        continue
      }
      const sendings = perLeader.get(leader)
      if (sendings === undefined) perLeader.set(leader, [{ to, part }])
      else sendings.push({ to, part })
    }
    await Promise.all([...perLeader].map(([leader, sendings]) => this.#sendTo(leader, sendings, deadlineMs)))
  }

  /**
   * Several requests one after the other only where a partition has more than a batch, or all together more than a request takes.
   * Behind a part that failed nothing of its partition is sent: both are tried again, in their order.
   */
  async #sendTo(leader: number, sendings: readonly Sending[], deadlineMs: number): Promise<void> {
    const failures = new Map<string, NonNullable<Part['failure']>>()
    for (const whole of intoRequests(sendings)) {
      const request = whole.filter(({ to, part }) => {
        const failure = failures.get(keyOf(to))
        if (failure !== undefined) part.failure = failure
        return failure === undefined
      })
      if (request.length === 0) continue
      const leftMs = Math.ceil(deadlineMs - this.#deps.clock.nowMs())
      if (leftMs <= 0) {
        for (const { part } of request) part.failure = { code: 'TIMEOUT', detail: 'there was no time left to send it' }
        continue
      }
      await this.#request(leader, request, leftMs)
      for (const { to, part } of request) if (part.failure !== undefined) failures.set(keyOf(to), part.failure)
    }
  }

  async #request(leader: number, request: readonly Sending[], timeoutMs: number): Promise<void> {
    const { cluster, clock } = this.#deps
    const options = { nowMs: clock.nowMs(), compressBytesMin: this.#config.compressBytesMin }
    const parts = request.map(
      ({ to, part }): ProducePart => ({ ...to, batch: encodeRecordBatch(part.records, options) }),
    )
    try {
      const produced = new Map((await cluster.produce(leader, parts, timeoutMs)).map((part) => [keyOf(part), part]))
      for (const { to, part } of request) {
        const code = errorName(produced.get(keyOf(to))?.errorCode ?? -1)
        if (code !== undefined) part.failure = { code, detail: `${keyOf(to)} at broker ${leader}: ${code}` }
      }
    } catch (error) {
      const code = error instanceof KafkaError ? error.code : 'BAD_ANSWER'
      for (const { part } of request) part.failure = { code, detail: (error as Error).message }
    }
  }

  /** Making topics, and looking up leaders, have deadlines of their own; the caller does not wait for them. */
  async #within(deadlineMs: number, work: () => Promise<void>): Promise<void> {
    const { promise, reject } = Promise.withResolvers<never>()
    const { sendTimeoutMs } = this.#config
    const cancel = this.#deps.clock.schedule(deadlineMs - this.#deps.clock.nowMs() + retryMsMin, () => {
      reject(new LogUnavailableError(`Kafka did not confirm an append within ${sendTimeoutMs} ms`))
    })
    const working = work()
    try {
      await Promise.race([working, promise])
    } finally {
      cancel()
      working.catch(() => {})
    }
  }
}

interface Sending {
  /** Where the part really goes: its topic may be redirected. */
  readonly to: TopicPartition
  readonly part: Part
}

function gather(records: readonly OutgoingTo[], batchBytesMax: number): Part[] {
  const parts: Part[] = []
  const filling = new Map<string, { topic: string; partition: number; records: OutgoingRecord[]; bytes: number }>()
  for (const { topic, partition, record } of records) {
    const key = keyOf({ topic, partition })
    const bytes = recordBytes(record)
    const part = filling.get(key)
    if (part !== undefined && part.bytes + bytes <= batchBytesMax) {
      part.records.push(record)
      part.bytes += bytes
      continue
    }
    const next = { topic, partition, records: [record], bytes }
    filling.set(key, next)
    parts.push(next)
  }
  return parts
}

/** At most one batch of a partition in a request, in their order. */
function intoRequests(sendings: readonly Sending[]): Sending[][] {
  const requests: { sendings: Sending[]; bytes: number }[] = []
  const earliest = new Map<string, number>()
  for (const sending of sendings) {
    const key = keyOf(sending.to)
    let index = earliest.get(key) ?? 0
    while ((requests[index]?.bytes ?? Number.NEGATIVE_INFINITY) + sending.part.bytes > requestBytesMax) index++
    const request = requests[index] ?? { sendings: [], bytes: 0 }
    requests[index] = request
    request.sendings.push(sending)
    request.bytes += sending.part.bytes
    earliest.set(key, index + 1)
  }
  return requests.map((request) => request.sendings)
}

function whyNotThere(topic: string, failures: ReadonlyMap<string, string> | Error): NonNullable<Part['failure']> {
  if (!(failures instanceof Error)) {
    const code = failures.get(topic) ?? 'UNKNOWN_TOPIC_OR_PARTITION'
    return { code, detail: `topic ${topic} could not be made: ${code}` }
  }
  const code = failures instanceof KafkaError ? failures.code : 'CONNECTION'
  return { code, detail: `topic ${topic} could not be made: ${failures.message}` }
}

/** Certainly not appended, and soon different. */
const refusedCodes = new Set([
  'NOT_LEADER_FOR_PARTITION',
  'UNKNOWN_TOPIC_OR_PARTITION',
  'LEADER_NOT_AVAILABLE',
  'NOT_ENOUGH_REPLICAS',
])

/** Sending the same again would end the same. */
const finalCodes = new Set([
  'MESSAGE_TOO_LARGE',
  'RECORD_LIST_TOO_LARGE',
  'TOPIC_AUTHORIZATION_FAILED',
  'CLUSTER_AUTHORIZATION_FAILED',
  'INVALID_TOPIC_EXCEPTION',
  'INVALID_REPLICATION_FACTOR',
  'POLICY_VIOLATION',
  'INVALID_CONFIG',
  'UNSUPPORTED_VERSION',
])

function failureOf(parts: readonly Part[]): LogUnavailableError {
  const details = [...new Set(parts.map(({ failure }) => failure?.detail ?? ''))]
  const more = details.length > 3 ? ` and ${details.length - 3} more` : ''
  return new LogUnavailableError(`Kafka did not take ${parts.length} batches: ${details.slice(0, 3).join('; ')}${more}`)
}
