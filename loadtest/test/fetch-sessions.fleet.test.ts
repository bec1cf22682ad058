/**
 * The Kafka log on a broker of its own that dies with its fetch sessions, and then keeps none: nothing is lost, doubled or out of
 * order, and the end is found. Every other course of a session is in lib/src/kafka-log/fetch-session.test.ts.
 */
import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { SystemClock } from '@minutely/lib/clock'
import { loadConfig } from '@minutely/lib/config'
import { kafkaLogSettings } from '@minutely/lib/kafka-log/kafka-log-settings'
import { KafkaSampleLog } from '@minutely/lib/kafka-log/kafka-sample-log'
import { PlainFraming } from '@minutely/lib/kafka-log/record-framing'
import { createLogger } from '@minutely/lib/logging'
import { createRegistry } from '@minutely/lib/process-metrics'
import type { LogConsumer, LogPartition } from '@minutely/lib/sample-log/sample-log'
import { BenchBroker } from '../src/topics/bench-broker.ts'
import { joinAll } from './joined-consumer.ts'

const bytesMax = 1 << 20
const ending: (() => Promise<unknown>)[] = []

after(async () => {
  for (const end of ending.reverse()) await end()
})

test('a broker that is killed, and keeps no sessions when it is back, loses and repeats nothing', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'minutely-sessions-'))
  ending.push(() => rm(folder, { recursive: true, force: true }))
  let broker = await BenchBroker.start(['--free-ports', '--data-dir', folder])
  ending.push(() => broker.stop())
  const { log, count } = await openLog(broker.address)
  const { partitions, consumer } = await joinAll(log)
  const reading = partitions.map((partition) => new Reading(partition, consumer))
  const written = await appendWords(log, partitions, 'before')
  for (const one of reading) await one.readUntil(written)
  while ((await count('fetches', 'incremental')) === 0) for (const one of reading) await one.readUntil(written)

  process.kill(broker.pid, 'SIGKILL')
  await broker.stop()
  const [, port = ''] = broker.address.split(':')
  const noSessions = ['--kafka-setting', 'max.incremental.fetch.session.cache.slots=0']
  broker = await BenchBroker.start(['--kafka-port', port, '--data-dir', folder, ...noSessions])
  const [full, incremental] = [await count('fetches', 'full'), await count('fetches', 'incremental')]
  for (const round of [1, 2, 3]) {
    written.push(...(await appendWords(log, partitions, `after, ${round}`)))
    for (const one of reading) await one.readUntil(written)
  }
  assert.ok((await count('fetches', 'full')) > full)
  // Those it was asked while it was away are none of a session either.
  assert.equal(await count('fetches', 'incremental'), incremental)
})

async function openLog(address: string) {
  const { kafka } = loadConfig({ kafka: kafkaLogSettings }, {})
  const registry = createRegistry()
  // Longer than a broker takes to be back.
  const sessionTimeoutMs = 300_000
  const config = {
    ...kafka,
    brokers: [address],
    partitionCount: 3,
    fetchEveryMs: 20,
    metadataEveryMs: 500,
    sessionTimeoutMs,
  }
  const deps = {
    framing: new PlainFraming(),
    clock: new SystemClock(),
    log: createLogger({ level: 'fatal', format: 'json' }),
    registry,
  }
  const log = new KafkaSampleLog({ ...config, sendTimeoutMs: 60_000 }, deps)
  ending.push(() => log.stop())
  await log.start()
  /** Of a counter with one label: its value where the label is `label`. */
  const count = async (name: string, label: string): Promise<number> => {
    const { values } = (await registry.getSingleMetric(`minutely_kafka_${name}_total`)?.get()) ?? { values: [] }
    return values.find(({ labels }) => Object.values(labels).includes(label))?.value ?? 0
  }
  return { log, count }
}

/** The same words to each partition. */
async function appendWords(log: KafkaSampleLog, partitions: readonly LogPartition[], what: string): Promise<string[]> {
  const words = Array.from({ length: 3 }, (_, index) => `${what}, ${index}`)
  for (const word of words) await log.append(partitions.map((one) => ({ ...one, payload: Buffer.from(word) })))
  return words
}

class Reading {
  readonly #partition: LogPartition
  readonly #consumer: LogConsumer
  readonly #words: string[] = []
  #position = 0

  constructor(partition: LogPartition, consumer: LogConsumer) {
    this.#partition = partition
    this.#consumer = consumer
  }

  /** Until the log says that this is its end. */
  async readUntil(expected: readonly string[]): Promise<void> {
    for (let isEnd = false; !isEnd; ) {
      const request = { partition: this.#partition, position: this.#position, bytesMax, waitMs: 0 }
      const { records, nextPosition, atEnd, gap } = await this.#consumer.read(request)
      assert.equal(gap, undefined)
      this.#words.push(...records.map(({ payload }) => payload.toString()))
      this.#position = nextPosition
      isEnd = atEnd
    }
    assert.deepEqual(this.#words, expected)
  }
}
