/**
 * The log as far as the topics benchmark uses it, on the producer and consumer of @platformatic/kafka, to compare them with ours.
 * Topics and routes are made by our own log, which neither writes nor reads then.
 *
 *   append ──> producer.send           consumer.consume ──> a queue for each partition ──> read
 *
 * Fetches are paced as well as the library can: the broker holds each until fetchEveryMs have passed. Commits are gathered as ours
 * are. Partitions are shared out by the library, and a partition is taken for read as soon as it is assigned, so the times of joins
 * are not to be compared. What is queued is bounded only by the load of the benchmark.
 */
import { Gatherer } from '@minutely/lib/kafka-log/gatherer'
import type { KafkaSampleLog } from '@minutely/lib/kafka-log/kafka-sample-log'
import { PlainFraming } from '@minutely/lib/kafka-log/record-framing'
import type {
  LogAppend,
  LogBatch,
  LogConsumer,
  LogPartition,
  LogRead,
  LogRecord,
  PartitionHandler,
} from '@minutely/lib/sample-log/sample-log'
import { Consumer, type GroupAssignment, type Message, ProduceAcks, Producer } from '@platformatic/kafka'
import { type BenchLog, clock } from './bench-log.ts'
import { keyOf } from './topics-load.ts'

const framing = new PlainFraming()
const heartbeatMs = 3_000
const rebalanceMs = 60_000
/** More than there ever is, so that the broker waits for the time. */
const fetchBytesMin = 64 * 1024 * 1024

export interface PlatformaticLogOptions {
  readonly brokers: string
  readonly topicPrefix: string
  readonly sessionTimeoutMs: number
  /** Of the whole run: a stream's pace cannot be changed. */
  readonly fetchEveryMs: number
}

export class PlatformaticLog implements BenchLog {
  readonly #options: PlatformaticLogOptions
  readonly #topics: KafkaSampleLog
  readonly #producer: Producer
  #consumer: LogConsumer | undefined

  constructor(options: PlatformaticLogOptions, { topics }: { topics: KafkaSampleLog }) {
    this.#options = options
    this.#topics = topics
    this.#producer = new Producer({ clientId: 'bench', bootstrapBrokers: [options.brokers], acks: ProduceAcks.ALL })
  }

  get cluster(): KafkaSampleLog['cluster'] {
    return this.#topics.cluster
  }

  route(series: { tenantId: string; serverId: string; metricId: string }): LogPartition {
    return this.#topics.route(series)
  }

  prepare(metricIds: readonly string[]): Promise<void> {
    return this.#topics.prepare(metricIds)
  }

  partitions(): Promise<readonly LogPartition[]> {
    return this.#topics.partitions()
  }

  async append(records: readonly LogAppend[]): Promise<void> {
    const messages = records.map(({ topic, partition, payload }) => {
      const { value, headers } = framing.frame(payload)
      const written = Object.entries(headers).map(([name, content]) => [Buffer.from(name), content] as const)
      return { topic, partition, value, headers: new Map(written) }
    })
    await this.#producer.send({ messages })
  }

  async join(group: string, handler: PartitionHandler): Promise<LogConsumer> {
    const { brokers, topicPrefix, sessionTimeoutMs, fetchEveryMs } = this.#options
    const consumer = new Consumer({
      clientId: 'bench',
      groupId: `${topicPrefix}.${group}`,
      bootstrapBrokers: [brokers],
      autocommit: false,
      sessionTimeout: sessionTimeoutMs,
      heartbeatInterval: heartbeatMs,
      rebalanceTimeout: rebalanceMs,
      minBytes: fetchBytesMin,
      maxBytes: fetchBytesMin,
      maxWaitTime: fetchEveryMs,
    })
    const queues = new Queues(handler)
    consumer.on('consumer:group:join', ({ assignments }) => queues.own(assignments ?? []))
    const topics = [...new Set((await this.partitions()).map(({ topic }) => topic))]
    const stream = await consumer.consume({ topics, mode: 'committed', fallbackMode: 'earliest' })
    stream.on('data', (message: Message) => queues.add(message))
    const commits = new Gatherer<LogPartition & { position: number }, void>(async (asked) => {
      const offsets = [...asked.values()].map(({ topic, partition, position }) => {
        return { topic, partition, offset: BigInt(position), leaderEpoch: -1 }
      })
      await consumer.commit({ offsets })
      return new Map([...asked.keys()].map((key) => [key, () => {}]))
    })
    this.#consumer = {
      // The stream begins where it was committed.
      committed: async () => ({ position: 0 }),
      oldest: async () => 0,
      read: (request) => queues.read(request),
      commit: (partition, position) => commits.ask(keyOf(partition), { ...partition, position }),
      leave: async () => {
        await stream.close()
        await consumer.close(true)
      },
    }
    return this.#consumer
  }

  async stop(): Promise<void> {
    await this.#consumer?.leave()
    await this.#producer.close()
    await this.#topics.stop()
  }
}

/** What has come and was not read, of the partitions that are owned. */
class Queues {
  readonly #handler: PartitionHandler
  readonly #queues = new Map<string, { readonly partition: LogPartition; records: LogRecord[]; notify: () => void }>()

  constructor(handler: PartitionHandler) {
    this.#handler = handler
  }

  own(assignments: readonly GroupAssignment[]): void {
    const wanted = new Map<string, LogPartition>()
    for (const { topic, partitions } of assignments) {
      for (const partition of partitions) wanted.set(keyOf({ topic, partition }), { topic, partition })
    }
    for (const [key, { partition, notify }] of this.#queues) {
      if (wanted.has(key)) continue
      this.#queues.delete(key)
      this.#handler.revoked(partition)
      notify()
    }
    for (const [key, partition] of wanted) {
      if (this.#queues.has(key)) continue
      this.#queues.set(key, { partition, records: [], notify: () => {} })
      this.#handler.assigned(partition)
    }
  }

  add({ topic, partition, offset, timestamp, value, headers }: Message): void {
    const queue = this.#queues.get(keyOf({ topic, partition }))
    if (queue === undefined) return
    const framed = Object.fromEntries([...headers].map(([name, content]) => [name.toString(), content]))
    const payload = framing.unframe({ value, headers: framed })
    queue.records.push({ position: Number(offset), appendedAtMs: Number(timestamp), payload })
    queue.notify()
  }

  async read({ partition, position, waitMs, signal }: LogRead): Promise<LogBatch> {
    const queue = this.#queues.get(keyOf(partition))
    if (queue === undefined) throw new Error(`partition ${keyOf(partition)} does not belong to this member now`)
    if (queue.records.length === 0 && waitMs > 0 && !signal?.aborted) {
      const { promise, resolve } = Promise.withResolvers<void>()
      queue.notify = resolve
      const cancel = clock.schedule(waitMs, resolve)
      await promise
      cancel()
      queue.notify = () => {}
    }
    const { records } = queue
    queue.records = []
    return { records, nextPosition: (records.at(-1)?.position ?? position - 1) + 1, atEnd: false }
  }
}
