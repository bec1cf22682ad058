/**
 * The aggregator: joins the group `aggregators` of the sample log, runs a loop for each partition it owns (consume.ts),
 * offers the open minutes to viewers, and drops what is past the retention.
 */
import type { Clock } from '@minutely/lib/clock'
import type { ReadinessCheck } from '@minutely/lib/http-server'
import type { IngestReport } from '@minutely/lib/ingest-report/ingest-report'
import type { Service } from '@minutely/lib/lifecycle'
import type { LiveSource, LiveWriter } from '@minutely/lib/live/live-channel'
import { type Logger, warnBriefly } from '@minutely/lib/logging'
import type { RecentRing } from '@minutely/lib/recent-ring/recent-ring'
import type { LogConsumer, LogPartition, SampleLog } from '@minutely/lib/sample-log/sample-log'
import type { Registry } from 'prom-client'
import type { AggregatorConfig } from './config.ts'
import { PartitionConsumer } from './consume.ts'
import { FoldTrial } from './fold-trial.ts'
import { openMinutesOf } from './live-minutes.ts'
import { createAggregatorMetrics } from './metrics.ts'
import type { MinuteStore } from './minute-store.ts'
import { Retention } from './retention.ts'
import { WindowBudget } from './window-budget.ts'

const groupName = 'aggregators'
const retentionEveryMs = 10 * 60_000
const provisionalEveryMs = 2_000
const retireEveryMs = 60_000

export interface AggregatorDeps {
  readonly sampleLog: SampleLog
  readonly minuteStore: MinuteStore
  readonly live: LiveWriter
  readonly ring: RecentRing
  readonly clock: Clock
  readonly log: Logger
  readonly registry: Registry
  /** Where late samples, conflicts and the lag are reported, too; nowhere without it. */
  readonly ingest?: Pick<IngestReport, 'add' | 'set' | 'beforeReport'>
  /** In [0, 1), for the delays between attempts. */
  readonly random?: () => number
  /** By default a process of its own. */
  readonly trial?: Pick<FoldTrial, 'fold' | 'stop'>
}

export interface Aggregator extends Service {
  readonly readiness: ReadinessCheck
}

interface RunningConsumer {
  readonly consumer: PartitionConsumer
  readonly abort: AbortController
  done: Promise<void>
}

export function createAggregator(config: AggregatorConfig, deps: AggregatorDeps): Aggregator {
  const { sampleLog, minuteStore, live, clock, log, random = Math.random } = deps
  const trial = deps.trial ?? new FoldTrial({ clock, log })
  const metrics = createAggregatorMetrics(deps.registry)
  const budget = new WindowBudget(config.windowBytesMax)
  const retention = new Retention(config)
  const running = new Set<RunningConsumer>()
  const stopping = new AbortController()
  let membership: LogConsumer | undefined
  let background: Promise<unknown> = Promise.resolve()

  /** A consumer lives until it has ended, not until it is told to: what it stores meanwhile is waited for. */
  const begin = (partition: LogPartition, member: LogConsumer): void => {
    if (stopping.signal.aborted) return
    const abort = new AbortController()
    const consumer = new PartitionConsumer(partition, config, {
      ...deps,
      consumer: member,
      deadLetters: sampleLog.deadLetters,
      budget,
      trial,
      random,
      metrics,
    })
    const started: RunningConsumer = { consumer, abort, done: Promise.resolve() }
    running.add(started)
    // Rejects only for a defect of ours: unhandled, it ends the process.
    started.done = consumer.run(abort.signal).finally(() => running.delete(started))
  }
  const end = ({ topic, partition }: LogPartition): void => {
    for (const { consumer, abort } of running) {
      if (consumer.partition.topic === topic && consumer.partition.partition === partition) abort.abort()
    }
  }
  /** Those that still own their partition. */
  const owners = (): PartitionConsumer[] =>
    [...running].filter(({ abort }) => !abort.signal.aborted).map(({ consumer }) => consumer)

  const source: LiveSource = {
    openMinutes: (server) => owners().flatMap((consumer) => openMinutesOf(consumer, server)),
    completeThroughMs: () => {
      // One that never had a sample holds nobody back.
      const instants = owners().flatMap(({ completeThroughMs }) => (completeThroughMs === 0 ? [] : completeThroughMs))
      return instants.length === 0 ? 0 : Math.min(...instants)
    },
  }

  deps.ingest?.beforeReport(() => {
    const completeThroughMs = source.completeThroughMs()
    if (completeThroughMs > 0) deps.ingest?.set('lag', Math.max(0, clock.nowMs() - completeThroughMs) / 1_000)
  })

  const every = async (periodMs: number, work: () => Promise<void> | void): Promise<void> => {
    while (!stopping.signal.aborted) {
      await work()
      await clock.sleep(periodMs, stopping.signal)
    }
  }
  const applyRetention = async (): Promise<void> => {
    try {
      const dropped = await minuteStore.dropExpired(retention, clock.nowMs())
      if (dropped.length > 0) log.info({ dropped }, 'dropped what is past the retention')
    } catch (error) {
      warnBriefly(log, error, { message: 'retention failed; it is tried again' })
    }
  }

  const retire = async (): Promise<void> => {
    try {
      const retired = await minuteStore.retire(sampleLog)
      if (retired.length > 0)
        log.warn({ retired }, 'the log no longer has these partitions; their progress is forgotten')
    } catch (error) {
      const message = 'the partitions of the log could not be compared with their progress; tried again'
      warnBriefly(log, error, { message })
    }
  }

  const publishProvisional = (): void => {
    try {
      live.publishProvisional()
    } catch (error) {
      warnBriefly(log, error, { message: 'viewers were not told of the open minutes' })
    }
  }

  return {
    name: 'aggregator',
    async start() {
      const assigned: LogPartition[] = []
      membership = await sampleLog.join(groupName, {
        assigned: (partition) => {
          if (membership === undefined) assigned.push(partition)
          else begin(partition, membership)
        },
        revoked: (partition) => {
          const early = assigned.findIndex(
            (one) => one.topic === partition.topic && one.partition === partition.partition,
          )
          if (early >= 0) assigned.splice(early, 1)
          end(partition)
        },
      })
      for (const partition of assigned) begin(partition, membership)
      live.connect(source)
      background = Promise.all([
        every(retentionEveryMs, applyRetention),
        every(retireEveryMs, retire),
        every(provisionalEveryMs, publishProvisional),
      ])
    },
    async stop() {
      stopping.abort()
      live.connect(undefined)
      for (const { abort } of running) abort.abort()
      await Promise.allSettled([...running].map(({ done }) => done))
      trial.stop()
      await membership?.leave()
      await background
    },
    readiness: () => {
      if (membership === undefined) return 'aggregator: has not joined its group yet'
      const behind = owners().filter(({ caughtUp }) => !caughtUp).length
      return behind === 0 ? null : `aggregator: ${behind} of its ${owners().length} partitions have not caught up yet`
    },
  }
}
