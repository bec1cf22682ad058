/** The Kafka log as the processes of the topics benchmark open it; what a process was started with. */
import { SystemClock } from '@minutely/lib/clock'
import { loadConfig } from '@minutely/lib/config'
import { kafkaLogSettings } from '@minutely/lib/kafka-log/kafka-log-settings'
import { KafkaSampleLog } from '@minutely/lib/kafka-log/kafka-sample-log'
import { PlainFraming } from '@minutely/lib/kafka-log/record-framing'
import { createLogger } from '@minutely/lib/logging'
import { createRegistry } from '@minutely/lib/process-metrics'
import type { LoadShape } from './topics-load.ts'

export interface BenchLogOptions {
  readonly brokers: string
  readonly topicPrefix: string
  readonly partitionCount: number
  readonly topicsMax: number
  readonly sessionTimeoutMs: number
  readonly load: LoadShape
  readonly client: BenchClient
  /** Of the first load: the other client's pace cannot be changed. */
  readonly fetchEveryMs: number
}

/** Whose producer and consumer are measured: those of lib/src/kafka-log, or @platformatic/kafka. */
export type BenchClient = (typeof benchClients)[number]
export const benchClients = ['ours', 'platformatic'] as const

/** What the benchmark needs of a log. */
export type BenchLog = Pick<KafkaSampleLog, 'route' | 'append' | 'join' | 'partitions' | 'prepare' | 'stop'> & {
  readonly cluster: Pick<KafkaSampleLog['cluster'], 'deleteTopics'>
}

export const clock = new SystemClock()

export function givenOptions(): BenchLogOptions {
  return JSON.parse(process.argv[2] ?? '{}') as BenchLogOptions
}

/** The log looks at `config.fetchEveryMs` before each fetch, so that one process can be measured with several. */
export async function openBenchLog(
  options: BenchLogOptions,
): Promise<{ sampleLog: BenchLog; config: { fetchEveryMs: number } }> {
  const { brokers, topicPrefix, partitionCount, topicsMax, sessionTimeoutMs } = options
  const { kafka } = loadConfig({ kafka: kafkaLogSettings }, {})
  const config = { ...kafka, topicPrefix, partitionCount, topicsMax, sessionTimeoutMs }
  // Thousands of partitions are made at once, and their first records are slow.
  const patient = { ...config, brokers: [brokers], requestTimeoutMs: 60_000, sendTimeoutMs: 60_000 }
  const sampleLog = new KafkaSampleLog(patient, {
    framing: new PlainFraming(),
    clock,
    log: createLogger({ level: 'error', format: 'json' }),
    registry: createRegistry(),
  })
  await sampleLog.start()
  if (options.client === 'ours') return { sampleLog, config: patient }
  // Loaded only then: it is not small.
  const { PlatformaticLog } = await import('./platformatic-log.ts')
  return { sampleLog: new PlatformaticLog(options, { topics: sampleLog }), config: patient }
}
