/**
 * Dead letters in a Kafka topic of their own, one partition: the bytes as they were are the record's value, so that any Kafka tool
 * shows them; the rest is in headers.
 *
 *   minutely-letter          JSON: topic, partition, position, appendedAtMs, reason, detail, unreadable, own (has headers)
 *   minutely-header.<name>   a header of the record that was set aside
 */
import { z } from 'zod'
import type { Clock } from '../clock.ts'
import { type DeadLetter, type DeadLetters, LogUnavailableError, type NewDeadLetter } from '../sample-log/sample-log.ts'
import type { KafkaCluster } from './kafka-cluster.ts'
import type { KafkaLogConfig } from './kafka-log-settings.ts'
import type { KafkaProducer } from './kafka-producer.ts'
import { errorName } from './kafka-wire.ts'
import { sessionless } from './log-requests.ts'
import { damagedBatchReason, decodeRecordSet, type OutgoingRecord, type StoredRecord } from './record-batch.ts'
import type { RecordFraming } from './record-framing.ts'
import { deadLetterTopic } from './topic-names.ts'
import type { TopicRegistry } from './topic-registry.ts'

const letterHeader = 'minutely-letter'
const headerPrefix = 'minutely-header.'
const fetchBytesMin = 1024 * 1024
const fetchBytesMax = 128 * 1024 * 1024

const letterShape = z.object({
  topic: z.string(),
  partition: z.int(),
  position: z.number(),
  appendedAtMs: z.number(),
  reason: z.string(),
  detail: z.string(),
  unreadable: z.object({ reason: z.string(), detail: z.string() }).optional(),
  hasHeaders: z.boolean(),
})

export interface KafkaDeadLettersDeps {
  readonly cluster: KafkaCluster
  readonly registry: TopicRegistry
  readonly producer: KafkaProducer
  readonly framing: RecordFraming
  readonly clock: Clock
}

export class KafkaDeadLetters implements DeadLetters {
  readonly #topic: string
  readonly #config: KafkaLogConfig
  readonly #deps: KafkaDeadLettersDeps

  constructor(config: KafkaLogConfig, deps: KafkaDeadLettersDeps) {
    this.#topic = deadLetterTopic(config.topicPrefix)
    this.#config = config
    this.#deps = deps
  }

  async add(letter: NewDeadLetter): Promise<void> {
    const { registry, producer } = this.#deps
    if (!registry.topics.has(this.#topic)) {
      const { deadLetterRetentionMs: retentionMs, batchBytesMax } = this.#config
      // A letter is larger than the largest record, by what is said of it.
      await registry.ensure(this.#topic, { partitionCount: 1, retentionMs, batchBytesMax: 2 * batchBytesMax })
    }
    await producer.append([{ topic: this.#topic, partition: 0, record: encodeLetter(letter) }])
  }

  async *list(): AsyncIterable<DeadLetter> {
    const { cluster, registry } = this.#deps
    await registry.refresh()
    if (!registry.topics.has(this.#topic)) return
    const place = { topic: this.#topic, partition: 0 }
    const leader = registry.leaderOf(place)
    const key = `${place.topic}/${place.partition}`
    const positionOf = async (which: 'oldest' | 'next'): Promise<number> => {
      const outcome = (await cluster.listOffsets(leader, [place], which)).get(key)
      if (outcome !== undefined && 'value' in outcome) return outcome.value
      throw new LogUnavailableError(`dead letters cannot be listed now: ${outcome?.code ?? 'no answer'}`)
    }
    const end = await positionOf('next')
    let bytesMax = fetchBytesMin
    for (let offset = await positionOf('oldest'); offset < end; ) {
      const request = { ...sessionless, parts: [{ ...place, offset, bytesMax }] }
      const { parts } = await cluster.fetch(leader, request, { waitMs: 0, bytesMax })
      const [part] = parts
      const code = errorName(part?.errorCode ?? -1)
      if (part === undefined || code !== undefined) {
        throw new LogUnavailableError(`dead letters cannot be listed now: ${code}`)
      }
      const { records, nextOffset } = decodeRecordSet(part.recordSet)
      if (nextOffset === undefined && bytesMax >= fetchBytesMax) {
        throw new LogUnavailableError(`a dead letter is larger than ${fetchBytesMax} bytes`)
      }
      if (nextOffset === undefined) bytesMax *= 2
      for (const record of records) if (record.offset >= offset && record.offset < end) yield decodeLetter(record)
      offset = nextOffset ?? offset
    }
  }

  async replay(letter: DeadLetter): Promise<void> {
    const { topic, partition } = letter
    const records = recordsOf(letter, this.#deps.framing)
    await this.#deps.producer.append(records.map((record) => ({ topic, partition, record })))
  }
}

/** What is put back. @throws Error for a whole batch that still cannot be taken apart. */
function recordsOf({ id, payload, headers, unreadable }: DeadLetter, framing: RecordFraming): OutgoingRecord[] {
  if (unreadable === undefined) return [framing.frame(payload)]
  if (unreadable.reason !== damagedBatchReason) return [{ value: payload, headers: headers ?? {} }]
  const { records } = decodeRecordSet(payload)
  const [damaged] = records.filter(({ damage }) => damage !== undefined)
  if (damaged === undefined && records.length > 0) return records.map(({ value, headers }) => ({ value, headers }))
  throw new Error(
    `dead letter ${id} is a record batch that still cannot be read: ${damaged?.damage ?? 'it is cut off'}`,
  )
}

function encodeLetter({ payload, headers, ...rest }: NewDeadLetter): OutgoingRecord {
  const facts = { ...letterShape.parse({ ...rest, hasHeaders: headers !== undefined }) }
  const kept = Object.entries(headers ?? {}).map(([name, content]) => [headerPrefix + name, content])
  return {
    value: payload,
    headers: { [letterHeader]: Buffer.from(JSON.stringify(facts)), ...Object.fromEntries(kept) },
  }
}

/** @throws Error for a record that is no letter of ours. */
function decodeLetter({ offset, value, headers }: StoredRecord): DeadLetter {
  const { hasHeaders, unreadable, ...facts } = letterShape.parse(
    JSON.parse(headers[letterHeader]?.toString() ?? 'null'),
  )
  const kept = Object.entries(headers)
    .filter(([name]) => name.startsWith(headerPrefix))
    .map(([name, content]) => [name.slice(headerPrefix.length), content])
  return {
    ...facts,
    id: String(offset),
    payload: value,
    ...(hasHeaders ? { headers: Object.fromEntries(kept) } : {}),
    ...(unreadable === undefined ? {} : { unreadable }),
  }
}
