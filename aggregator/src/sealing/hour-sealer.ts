/**
 * Seals hours, one after the other, oldest first (seal-hour.ts). Runs in every aggregator, works in one: whoever holds an advisory lock
 * of a session, so that it ends with the connection, on which all of the work is done. It looks for the first time a while (SEAL_EVERY_MS)
 * after the start: a process that starts has other things to do.
 */
import type { Clock } from '@minutely/lib/clock'
import type { Service } from '@minutely/lib/lifecycle'
import type { Logger } from '@minutely/lib/logging'
import { AdvisoryLeader } from '@minutely/lib/postgres/advisory-leader'
import type { Pool, PoolClient } from '@minutely/lib/postgres/pool'
import type { Registry } from 'prom-client'
import { Retention, type RetentionConfig } from '../retention.ts'
import { type DueConfig, type DueHour, findDueHours } from './due-hours.ts'
import { hourMs } from './hour-locks.ts'
import type { SlicePacker } from './pack-slice.ts'
import { syncClasses } from './retention-classes.ts'
import { finishSealing, type SealPace, type SealPoint, sealHour } from './seal-hour.ts'
import { createSealMetrics, type SealMetrics } from './seal-metrics.ts'
import { SealRefusedError } from './seal-refused.ts'
import type { TierWriterDeps } from './write-sealed.ts'

/** Any constant: one lock for all aggregators of a database. */
const advisoryLock = 7_070_004

export type SealConfig = Omit<DueConfig, 'retention'> & RetentionConfig & SealPace & { readonly sealEveryMs: number }

export interface HourSealerDeps {
  /** Of the writer; one connection is kept. */
  readonly pool: Pool
  readonly clock: Clock
  readonly log: Logger
  readonly registry: Registry
  /** In [0, 1), for the delays between attempts. */
  readonly random?: () => number
  /** For tests. */
  readonly packer?: SlicePacker
  readonly reached?: (point: SealPoint) => Promise<void>
}

export function createHourSealer(config: SealConfig, deps: HourSealerDeps): HourSealer {
  return new HourSealer(config, deps)
}

export class HourSealer implements Service {
  readonly name = 'hour-sealer'
  readonly #config: SealConfig
  readonly #deps: HourSealerDeps
  readonly #metrics: SealMetrics
  readonly #retention: Retention
  readonly #stopping = new AbortController()
  #running: Promise<void> = Promise.resolve()
  readonly #leader: AdvisoryLeader

  constructor(config: SealConfig, deps: HourSealerDeps) {
    this.#config = config
    this.#deps = deps
    this.#retention = new Retention(config)
    this.#leader = new AdvisoryLeader(advisoryLock, deps)
    this.#metrics = createSealMetrics(deps.registry)
  }

  async start(): Promise<void> {
    if (this.#config.sealAfterMinutes > 0) this.#running = this.#run()
  }

  async stop(): Promise<void> {
    this.#stopping.abort()
    await this.#running
    this.#stepDown()
  }

  async #run(): Promise<void> {
    const { clock, log } = this.#deps
    const { sealEveryMs } = this.#config
    const { signal } = this.#stopping
    for (;;) {
      await clock.sleep(sealEveryMs, signal)
      if (signal.aborted) return
      try {
        await this.look()
      } catch (error) {
        log.warn({ err: error }, `sealing failed; another look in ${sealEveryMs} ms`)
      }
    }
  }

  /** One look, and all that is due. @throws what Postgres says; then another process, or the next look, goes on. */
  async look(): Promise<void> {
    const { clock } = this.#deps
    try {
      const client = await this.#leader.lead()
      if (client === undefined) return
      const { hours, oldestDueMs } = await findDueHours(
        client,
        { ...this.#config, retention: this.#retention },
        clock.nowMs(),
      )
      this.#metrics.oldestDueSeconds.set(oldestDueMs / 1_000)
      const tiers = { retention: this.#retention, classes: await syncClasses(this.#deps.pool, this.#retention) }
      for (const due of hours) {
        if (this.#stopping.signal.aborted) return
        await this.#work(due, { client, ...tiers })
      }
    } catch (error) {
      this.#metrics.failures.inc({ reason: 'store' })
      this.#stepDown()
      throw error
    }
  }

  async #work({ hour, work }: DueHour, tiers: TierWriterDeps & { readonly client: PoolClient }): Promise<void> {
    const { clock, log, random = Math.random, packer, reached } = this.#deps
    const { signal } = this.#stopping
    const hourAt = new Date(hour * hourMs).toISOString()
    if (work === 'finish') return void (await finishSealing(tiers.client, hour))
    const beganAtMs = clock.nowMs()
    try {
      const deps = { ...tiers, clock, signal, random, ...(packer && { packer }), ...(reached && { reached }) }
      const { outcome, blocks, bytes, expiredMinutes } = await sealHour(hour, this.#config, deps)
      this.#metrics.blocks.inc(blocks)
      this.#metrics.bytes.inc(bytes)
      this.#metrics.expiredMinutes.inc(expiredMinutes)
      if (outcome === 'sealed') {
        this.#metrics.hours.inc()
        log.info({ hourAt, blocks, bytes, ms: clock.nowMs() - beganAtMs }, 'sealed an hour')
      } else if (outcome !== 'stopped') {
        this.#metrics.failures.inc({ reason: outcome })
        log.info({ hourAt, outcome }, 'an hour is not sealed yet; it is tried again')
      }
    } catch (error) {
      if (!(error instanceof SealRefusedError)) throw error
      this.#metrics.failures.inc({ reason: error.reason })
      const { resealAfterMinutes } = this.#config
      log.error({ err: error, hourAt }, `an hour stays as it is; it is tried again in ${resealAfterMinutes} minutes`)
    } finally {
      this.#metrics.seconds.inc((clock.nowMs() - beganAtMs) / 1_000)
    }
  }

  /** The connection goes, and the lock with it. */
  #stepDown(): void {
    this.#metrics.oldestDueSeconds.set(0)
    this.#leader.stepDown()
  }
}
