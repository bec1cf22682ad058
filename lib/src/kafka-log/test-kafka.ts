/**
 * For tests: logs on the Kafka of KAFKA_BOOTSTRAP, each fresh one with a prefix of its own, whose topics `after` hooks delete.
 * Sessions are short and topics looked up often, so that a test of a lost member takes seconds.
 */
import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after } from 'node:test'
import pino from 'pino'
import { Registry } from 'prom-client'
import { SystemClock } from '../clock.ts'
import { loadConfig } from '../config.ts'
import type { SampleLog } from '../sample-log/sample-log.ts'
import type { SampleLogUnderTest } from '../sample-log/sample-log-contract.ts'
import { type KafkaLogConfig, kafkaLogSettings } from './kafka-log-settings.ts'
import { KafkaSampleLog } from './kafka-sample-log.ts'
import { PlainFraming, type RecordFraming } from './record-framing.ts'
import { metricOf } from './topic-names.ts'

export interface KafkaLogUnderTest {
  readonly log: KafkaSampleLog
  readonly config: KafkaLogConfig
  readonly registry: Registry
}

const opened = new Map<SampleLog, KafkaLogUnderTest>()

export function testConfig(overrides: Partial<KafkaLogConfig> = {}): KafkaLogConfig {
  const { kafka } = loadConfig({ kafka: kafkaLogSettings }, {})
  return {
    ...kafka,
    brokers: (process.env['KAFKA_BOOTSTRAP'] ?? '127.0.0.1:9092').split(','),
    topicPrefix: `test-${randomUUID().slice(0, 8)}`,
    partitionCount: 2,
    shardCount: 8,
    metadataEveryMs: 500,
    sessionTimeoutMs: 6_000,
    heartbeatMs: 300,
    fetchEveryMs: 20,
    ...overrides,
  }
}

export async function openLog(
  config: KafkaLogConfig = testConfig(),
  framing: RecordFraming = new PlainFraming(),
): Promise<KafkaLogUnderTest> {
  const level = process.env['MINUTELY_TEST_LOG_LEVEL'] ?? 'silent'
  const registry = new Registry()
  const log = new KafkaSampleLog(config, { framing, clock: new SystemClock(), log: pino({ level }), registry })
  const underTest = { log, config, registry }
  opened.set(log, underTest)
  await log.start()
  return underTest
}

export function configOf(log: SampleLog): KafkaLogConfig {
  const known = opened.get(log)
  if (known === undefined) throw new Error('a log that was not opened here')
  return known.config
}

export const kafkaUnderTest: SampleLogUnderTest = {
  create: async () => {
    const { log } = await openLog()
    // Where there is nothing yet, there is nothing to be assigned.
    await log.prepare(['system.cpu.utilization'])
    return log
  },
  reopen: async (log) => (await openLog(configOf(log))).log,
  truncate: async (log, { partition, position }) => {
    const { cluster } = opened.get(log)?.log ?? (await openLog()).log
    const leader = (await cluster.topics()).get(partition.topic)?.[partition.partition] ?? -1
    await cluster.deleteRecords(leader, { ...partition, offset: position })
  },
  makeAnew: async (log, partition) => makeTopicAnew(configOf(log), partition.topic),
}

/** By another process, when all brokers have forgotten the old one. */
export async function makeTopicAnew(config: KafkaLogConfig, topic: string): Promise<void> {
  const { cluster } = (await openLog(config)).log
  await cluster.deleteTopics([topic])
  while ((await cluster.topics()).has(topic));
  const maker = (await openLog(config)).log
  const metricId = metricOf(config.topicPrefix, topic)
  assert(maker.route({ tenantId: 'default', serverId: 'web-1', metricId }).topic === topic)
  await maker.prepare([metricId])
}

// Registered when the test file loads: inside a test it would run when that test ends.
after(async () => {
  const prefixes = new Set([...opened.values()].map(({ config }) => `${config.topicPrefix}.`))
  await Promise.all([...opened.keys()].map((log) => log.stop()))
  if (prefixes.size === 0) return
  const { log } = await openLog()
  const topics = [...(await log.cluster.topics()).keys()]
  const ours = topics.filter((topic) => [...prefixes].some((prefix) => topic.startsWith(prefix)))
  if (ours.length > 0) await log.cluster.deleteTopics(ours)
  await log.stop()
})
