/**
 * For tests: consumers of one partition over the real Postgres log and store, in virtual time, beside the naive model.
 * Whatever is sent goes to both; `assertExact` compares all that is stored with all that was sent.
 */
import assert from 'node:assert/strict'
import { type Clock, SystemClock, VirtualClock } from '@minutely/lib/clock'
import { LocalLiveChannel } from '@minutely/lib/live/local-live-channel'
import type { Pool, PostgresConnection } from '@minutely/lib/postgres/pool'
import { silentLog } from '@minutely/lib/postgres/test-database'
import { AbsentRecentRing } from '@minutely/lib/recent-ring/absent-recent-ring'
import type { RecentRing } from '@minutely/lib/recent-ring/recent-ring'
import { PostgresSampleLog } from '@minutely/lib/sample-log/postgres-sample-log'
import type { LogConsumer, LogPartition } from '@minutely/lib/sample-log/sample-log'
import { minuteMs } from '@minutely/schema/limits'
import { encodeSampleRecord } from '@minutely/schema/sample-codec'
import { Registry } from 'prom-client'
import type { AggregatorConfig } from './config.ts'
import { PartitionConsumer } from './consume.ts'
import { FoldTrial } from './fold-trial.ts'
import { createAggregatorMetrics } from './metrics.ts'
import { type Grid, MinuteModel, sectionOf, storedTable } from './minute-model.ts'
import { PostgresMinuteStore } from './postgres-minute-store.ts'
import { SteppedLog } from './stepped-log.ts'
import { WindowBudget } from './window-budget.ts'

export const rigStartMs = Date.UTC(2027, 0, 15, 9, 57)
export const rigConfig: AggregatorConfig = {
  latenessMs: 10_000,
  lateHoldMs: 2_000,
  openMinutesMax: 8,
  lateMinutesMax: 8,
  windowBytesMax: 1 << 29,
  readyLagMs: 30_000,
  readBytesMax: 1 << 22,
  retentionHours: 48,
  hourRetentionDays: 400,
  retentionByMetric: [],
  sealAfterMinutes: 0,
  resealAfterMinutes: 15,
  sealEveryMs: 60_000,
  sealRowsPerS: 100_000,
  sealSliceRowsMax: 15_000,
}

export interface RigOptions {
  readonly apart?: boolean
  readonly config?: Partial<AggregatorConfig>
  readonly partition?: number
  /** By default none. */
  readonly ring?: RecentRing
}

export interface Running {
  readonly consumer: PartitionConsumer
  readonly log: SteppedLog
  readonly abort: AbortController
  readonly done: Promise<void>
  step(): Promise<void>
  /** Ends without a flush, as a crash does; what is under way in Postgres is awaited. */
  crash(): Promise<void>
}

export class ConsumerRig {
  readonly clock = new VirtualClock(rigStartMs)
  readonly ring: RecentRing
  readonly live = new LocalLiveChannel()
  readonly trial = new FoldTrial({ clock: new SystemClock(), log: silentLog })
  readonly metrics = createAggregatorMetrics(new Registry())
  model = new MinuteModel()
  readonly pool: Pool
  readonly connection: PostgresConnection
  readonly log: PostgresSampleLog
  readonly #options: RigOptions
  /** Of commits, by partition; the log in Postgres keeps none. */
  readonly #marks = new Map<number, string | undefined>()
  #member: LogConsumer | undefined

  constructor(database: { pool: Pool; connection: PostgresConnection }, options: RigOptions = {}, partitionCount = 1) {
    this.pool = database.pool
    this.connection = database.connection
    this.#options = options
    this.ring = options.ring ?? new AbsentRecentRing()
    this.log = new PostgresSampleLog(
      { partitionCount, keepMs: 600_000, sizeBytesMax: 1 << 30, tailBytesMax: 1 << 24, deadLettersMax: 1_000 },
      { ...database, clock: this.clock, log: silentLog },
    )
  }

  async start(): Promise<this> {
    await this.log.start()
    this.#member = await this.log.join('aggregators', { assigned: () => {}, revoked: () => {} })
    return this
  }

  partition(number = this.#options.partition ?? 0): LogPartition {
    return { topic: 'minutely.samples', partition: number }
  }

  /** Durable in the log when it resolves; so it must be in the minutes at the end. */
  async send(serverId: string, grid: Grid, rows: Parameters<typeof sectionOf>[2], partition?: number): Promise<void> {
    this.model.add(serverId, grid, rows)
    const record = { receivedAtMs: this.clock.nowMs(), sections: [sectionOf(serverId, grid, rows)] }
    await this.append(encodeSampleRecord(record), partition)
  }

  append(payload: Buffer, partition?: number): Promise<void> {
    return this.log.append([{ ...this.partition(partition), payload }])
  }

  /** A new process: nothing in memory is left of the one before. */
  begin(pool: Pool = this.pool, partition?: number): Running {
    assert(this.#member)
    const { clock, live, metrics } = this
    const log = new SteppedLog(this.#member, { apart: this.#options.apart ?? false, marks: this.#marks })
    const abort = new AbortController()
    const config = { ...rigConfig, ...this.#options.config }
    const consumer = new PartitionConsumer(this.partition(partition), config, {
      consumer: log,
      deadLetters: this.log.deadLetters,
      budget: new WindowBudget(config.windowBytesMax),
      trial: this.trial,
      ring: this.ring,
      minuteStore: new PostgresMinuteStore(pool),
      live,
      clock: withoutDelays(clock),
      random: Math.random,
      log: silentLog,
      metrics,
    })
    const done = consumer.run(abort.signal)
    const crash = async (): Promise<void> => {
      abort.abort()
      await done
    }
    return { consumer, log, abort, done, step: () => log.step(done), crash }
  }

  /** Until the log is read to its end and every minute is closed. */
  async drain(running: Running): Promise<void> {
    do await running.step()
    while (running.log.lastCount > 0)
    for (let [oldest] = running.consumer.windows.open; oldest; [oldest] = running.consumer.windows.open) {
      // Its end, the lateness, and how long a late one is held.
      const dueMs = oldest.minuteMs + minuteMs + 15_000
      await this.clock.advance(Math.max(5_000, dueMs - this.clock.nowMs()))
      await running.step()
      await running.step()
    }
  }

  async assertExact(message?: string): Promise<void> {
    assert.deepEqual(await storedTable(this.pool), this.model.table(), message)
  }

  async merged(path: 'copy' | 'merge'): Promise<number> {
    const { values } = await this.metrics.rows.get()
    return values.find(({ labels }) => labels.path === path)?.value ?? 0
  }

  async stop(): Promise<void> {
    this.trial.stop()
    await this.log.stop()
  }
}

/** A consumer that waits before it tries again would wait for ever: the clock moves on only when the test says so. */
function withoutDelays(clock: Clock): Clock {
  return {
    nowMs: () => clock.nowMs(),
    schedule: (delayMs, callback) => clock.schedule(delayMs, callback),
    sleep: () => new Promise((resolve) => setImmediate(resolve)),
  }
}
