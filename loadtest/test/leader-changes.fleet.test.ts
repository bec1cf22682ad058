/**
 * The Kafka log on three brokers of its own, replication 3 and two in sync: each of them is killed in turn while a writer appends all
 * the time and a reader follows. It goes on with the two that are left, through the change of leaders, and by itself. Every
 * record that was acknowledged is read, in its order, and nothing that was not sent.
 *
 * A broker is given up after 2 s rather than Kafka's 9 s.
 */
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { SystemClock } from '@minutely/lib/clock'
import { loadConfig } from '@minutely/lib/config'
import { kafkaLogSettings } from '@minutely/lib/kafka-log/kafka-log-settings'
import { KafkaSampleLog } from '@minutely/lib/kafka-log/kafka-sample-log'
import { PlainFraming } from '@minutely/lib/kafka-log/record-framing'
import { createLogger } from '@minutely/lib/logging'
import { createRegistry } from '@minutely/lib/process-metrics'
import { type LogConsumer, type LogPartition, LogUnavailableError } from '@minutely/lib/sample-log/sample-log'
import { BenchBroker } from '../src/topics/bench-broker.ts'
import { joinAll } from './joined-consumer.ts'

const bytesMax = 1 << 20
const roundsWithout = 30
/** So that the machine is left to the brokers. */
const paceMs = 25
const impatience = ['broker.session.timeout.ms=2000', 'broker.heartbeat.interval.ms=300']
const ending: (() => Promise<unknown>)[] = []

after(async () => {
  for (const end of ending.reverse()) await end()
})

test('each of three brokers is killed in turn: what was acknowledged is read, in order, nothing else', {
  timeout: 500_000,
}, async (context) => {
  const brokers = await BenchBroker.startThree(impatience.flatMap((line) => ['--kafka-setting', line]))
  ending.push(() => brokers.stop())
  const log = await openLog(brokers.address)
  const { partitions, consumer } = await joinAll(log)
  const leadersBefore = await leadersOf(log, partitions)
  assert.deepEqual([...new Set(leadersBefore)].sort(), [1, 2, 3], 'each broker leads something')
  const writer = new Writer(log, partitions)
  const readings = partitions.map((partition) => new Reading(partition, consumer))
  const stopped = new AbortController()
  const working = Promise.all([writer.run(stopped.signal), ...readings.map((one) => one.follow(stopped.signal))])
  ending.push(async () => {
    stopped.abort()
    await working
  })

  for (const broker of [1, 2, 3]) {
    await Promise.race([writer.reaches(writer.acknowledged + roundsWithout), working])
    brokers.kill(broker)
    // With two of three, so after its partitions have other leaders.
    await Promise.race([writer.reaches(writer.acknowledged + roundsWithout), working])
    assert.ok(!(await leadersOf(log, partitions)).includes(broker), `broker ${broker} still leads`)
    context.diagnostic(`without broker ${broker}: ${writer.acknowledged} rounds, ${writer.refusals} refused`)
    await brokers.restart(broker)
  }
  await Promise.race([writer.reaches(writer.acknowledged + roundsWithout), working])
  stopped.abort()
  await working
  context.diagnostic(`${writer.acknowledged} rounds acknowledged, ${writer.refusals} refused and sent again`)
  for (const reading of readings) await reading.readUntil(writer.acknowledged - 1)
  for (const reading of readings) reading.judge(writer.acknowledged)
})

async function openLog(address: string): Promise<KafkaSampleLog> {
  const { kafka } = loadConfig({ kafka: kafkaLogSettings }, {})
  const replicas = { replicationFactor: 3, inSyncReplicasMin: 2 }
  const haste = { fetchEveryMs: 20, metadataEveryMs: 500, requestTimeoutMs: 2_000, sessionTimeoutMs: 300_000 }
  const config = { ...kafka, brokers: address.split(','), partitionCount: 6, ...replicas, ...haste }
  const clock = new SystemClock()
  const quiet = createLogger({ level: 'fatal', format: 'json' })
  const log = new KafkaSampleLog(config, { framing: new PlainFraming(), clock, log: quiet, registry: createRegistry() })
  ending.push(() => log.stop())
  await log.start()
  return log
}

async function leadersOf(log: KafkaSampleLog, partitions: readonly LogPartition[]): Promise<number[]> {
  const topics = await log.cluster.topics()
  return partitions.map(({ topic, partition }) => topics.get(topic)?.[partition] ?? -1)
}

/** Appends one number after the other to all partitions at once, each until it is acknowledged, as collectors' clients do. */
class Writer {
  readonly #log: KafkaSampleLog
  readonly #partitions: readonly LogPartition[]
  #waiting: { readonly round: number; readonly resolve: () => void }[] = []
  /** Rounds from 0 on that all partitions have. */
  acknowledged = 0
  /** Appends that failed; some of their records may be there. */
  refusals = 0

  constructor(log: KafkaSampleLog, partitions: readonly LogPartition[]) {
    this.#log = log
    this.#partitions = partitions
  }

  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const payload = Buffer.from(String(this.acknowledged))
      while (!(await this.#append(payload)));
      await delay(paceMs)
      this.acknowledged++
      for (const { round, resolve } of this.#waiting) if (this.acknowledged >= round) resolve()
      this.#waiting = this.#waiting.filter(({ round }) => round > this.acknowledged)
    }
  }

  reaches(round: number): Promise<void> {
    return new Promise((resolve) => this.#waiting.push({ round, resolve }))
  }

  async #append(payload: Buffer): Promise<boolean> {
    try {
      await this.#log.append(this.#partitions.map((one) => ({ ...one, payload })))
      return true
    } catch (error) {
      assert.ok(error instanceof LogUnavailableError, String(error))
      this.refusals++
      return false
    }
  }
}

class Reading {
  readonly #partition: LogPartition
  readonly #consumer: LogConsumer
  readonly #rounds: number[] = []
  #position = 0

  constructor(partition: LogPartition, consumer: LogConsumer) {
    this.#partition = partition
    this.#consumer = consumer
  }

  async follow(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) await this.#read(100)
  }

  async readUntil(round: number): Promise<void> {
    while (!this.#rounds.includes(round)) await this.#read(100)
  }

  /** All rounds, each first seen after the one before; what was sent again may come twice. */
  judge(acknowledged: number): void {
    const all = Array.from({ length: acknowledged }, (_, round) => round)
    assert.deepEqual([...new Set(this.#rounds)], all)
  }

  async #read(waitMs: number): Promise<void> {
    const request = { partition: this.#partition, position: this.#position, bytesMax, waitMs }
    // A reader tries again, as the aggregator does.
    const batch = await this.#consumer.read(request).catch(() => undefined)
    if (batch === undefined) return
    assert.equal(batch.gap, undefined)
    for (const { position, payload } of batch.records) {
      assert.ok(position >= this.#position, `position ${position} came after ${this.#position}`)
      this.#rounds.push(Number(payload.toString()))
    }
    this.#position = batch.nextPosition
  }
}
