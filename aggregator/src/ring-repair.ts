/**
 * Fills an empty ring from Postgres. Runs in every aggregator, works in one: whoever holds an advisory lock (of a session,
 * so that it ends with the process). The leader looks every few seconds:
 *
 *   no ring, or one in another Redis than ours ──> adopt ours: a new, empty ring
 *   no mark in Redis (new, or flushed)         ──> mark it as begun, push hour by hour, newest first, mark each
 *   a mark that is not at the end              ──> its leader is gone: go on from there
 *
 * Only minutes before completeThrough are pushed, of states newer than the ring (lib/src/recent-ring/recent-ring.ts, 1 and 4);
 * live pushes go on meanwhile and win where they have seen more. A leader without Redis gives its place up, so that an
 * aggregator that reaches Redis takes over.
 */
import type { Clock } from '@minutely/lib/clock'
import type { Service } from '@minutely/lib/lifecycle'
import type { Logger } from '@minutely/lib/logging'
import { AdvisoryLeader } from '@minutely/lib/postgres/advisory-leader'
import type { Pool } from '@minutely/lib/postgres/pool'
import type { RecentRing, RingIdentity } from '@minutely/lib/recent-ring/recent-ring'
import type { RingMetrics } from '@minutely/lib/recent-ring/ring-metrics'
import type { RingConfig } from '@minutely/lib/recent-ring/ring-settings'
import { adoptRing, readRingIdentity, voidRing } from '@minutely/lib/recent-ring/ring-state'
import { readRingRows } from './ring-minutes.ts'

const lookEveryMs = 5_000
/** Any constant: one lock for all aggregators of a database. */
const advisoryLock = 7_070_002
const hourMs = 3_600_000
/** Of a batch: 0.5 MB, and some 10 ms of Redis in several commands. */
const rowsPerBatchMax = 10_000
/** An hour of a million series at the slowest rate that is sensible. */
const statementTimeoutMs = 30 * 60_000

export interface RingRepairDeps {
  /** Of the writer; one connection is kept. */
  readonly pool: Pool
  readonly ring: RecentRing
  readonly clock: Clock
  readonly log: Logger
  readonly metrics: RingMetrics
}

/** What stands in the mark. */
interface Progress {
  /** From here on all is filled, ms since the epoch. */
  readonly filledFromMs: number
  readonly isWhole: boolean
}

export function createRingRepair(config: Pick<RingConfig, 'repairRowsPerS'>, deps: RingRepairDeps): RingRepair {
  return new RingRepair(config, deps)
}

export class RingRepair implements Service {
  readonly name = 'ring-repair'
  readonly #config: Pick<RingConfig, 'repairRowsPerS'>
  readonly #deps: RingRepairDeps
  readonly #stopping = new AbortController()
  #running: Promise<void> = Promise.resolve()
  readonly #leader: AdvisoryLeader
  /** The newest this process has seen. */
  #lastEpoch = 0n

  constructor(config: Pick<RingConfig, 'repairRowsPerS'>, deps: RingRepairDeps) {
    this.#config = config
    this.#deps = deps
    this.#leader = new AdvisoryLeader(advisoryLock, deps)
  }

  async start(): Promise<void> {
    this.#running = this.#run()
  }

  async stop(): Promise<void> {
    this.#stopping.abort()
    await this.#running
    this.#leader.stepDown()
  }

  async #run(): Promise<void> {
    const { clock, log, metrics } = this.#deps
    while (!this.#stopping.signal.aborted) {
      try {
        await this.look()
      } catch (error) {
        metrics.repairs.inc({ result: 'failed' })
        metrics.repairHoursLeft.set(0)
        log.warn({ err: error }, `filling the ring failed; another look in ${lookEveryMs} ms`)
        this.#leader.stepDown()
      }
      await clock.sleep(lookEveryMs, this.#stopping.signal)
    }
  }

  /** One look, and what follows from it. */
  async look(): Promise<void> {
    const { ring, log } = this.#deps
    if (ring.runId === undefined || (await this.#leader.lead()) === undefined) return this.#leader.stepDown()
    const identity = await this.#identity(ring.runId)
    if (identity.runId !== ring.runId) return
    const mark = await ring.marked(identity)
    const before = mark === undefined ? undefined : (JSON.parse(mark) as Progress)
    if (before?.isWhole === true) return
    log.info({ ...identity, goingOn: before !== undefined }, 'filling the ring from Postgres')
    await this.#fill(identity, before)
  }

  async #identity(runId: string): Promise<RingIdentity> {
    const { pool, log } = this.#deps
    let identity = await readRingIdentity(pool)
    if (BigInt(identity.epoch) < this.#lastEpoch) {
      await voidRing(pool, `epoch ${identity.epoch} came after ${this.#lastEpoch}: the database lost commits`)
      identity = await readRingIdentity(pool)
    }
    if (identity.runId !== runId) {
      identity = await adoptRing(pool, runId, identity)
      log.info({ ...identity }, 'a new ring in Redis, empty')
    }
    this.#lastEpoch = BigInt(identity.epoch)
    return identity
  }

  async #fill(identity: RingIdentity, before: Progress | undefined): Promise<void> {
    const { pool, ring, clock, log, metrics } = this.#deps
    const oldestMs = Math.floor((clock.nowMs() - ring.hours * hourMs) / hourMs) * hourMs
    let filledFromMs = before?.filledFromMs ?? (await readCompleteThrough(pool))
    const mark = (isWhole: boolean, step: 'begin' | 'continue'): Promise<boolean> =>
      ring.mark(identity, JSON.stringify({ filledFromMs, isWhole } satisfies Progress), step)
    let isOurs = before !== undefined || (await mark(false, 'begin'))
    const beganAtMs = clock.nowMs()
    let rowCount = 0
    while (isOurs && filledFromMs > oldestMs && !this.#stopping.signal.aborted) {
      const fromMs = (Math.ceil(filledFromMs / hourMs) - 1) * hourMs
      metrics.repairHoursLeft.set(Math.ceil((filledFromMs - oldestMs) / hourMs))
      rowCount += await this.#fillHour(identity, fromMs, filledFromMs)
      if (this.#stopping.signal.aborted) break
      filledFromMs = fromMs
      const { epoch } = await readRingIdentity(pool)
      isOurs = epoch === identity.epoch && (await mark(false, 'continue'))
    }
    metrics.repairHoursLeft.set(0)
    if (this.#stopping.signal.aborted) return
    const isDone = isOurs && (await mark(true, 'continue'))
    metrics.repairs.inc({ result: isDone ? 'done' : 'overtaken' })
    const detail = { rows: rowCount, seconds: Math.round((clock.nowMs() - beganAtMs) / 1000) }
    log.info(detail, isDone ? 'the ring is filled' : 'the ring was flushed or made void while it was filled')
  }

  /** @returns how many rows were pushed. */
  async #fillHour(identity: RingIdentity, fromMs: number, toMs: number): Promise<number> {
    const { pool, ring, clock, log } = this.#deps
    const client = await pool.connect()
    let rowCount = 0
    let failure: Error | undefined
    const beganAtMs = clock.nowMs()
    try {
      await client.query('begin read only')
      await client.query(`set local statement_timeout = ${statementTimeoutMs}`)
      const unreadable = (error: Error): void => {
        log.error({ err: error }, 'the ring goes without an hour of a series')
      }
      // Postgres reads a batch while Redis takes the one before.
      let filling = Promise.resolve()
      for await (const rows of readRingRows(client, { fromMs, toMs, rowsMax: rowsPerBatchMax, unreadable })) {
        await filling
        filling = ring.fill(identity, rows)
        filling.catch(() => {})
        rowCount += rows.count
        const dueMs = beganAtMs + (rowCount / this.#config.repairRowsPerS) * 1000
        await clock.sleep(dueMs - clock.nowMs(), this.#stopping.signal)
        if (this.#stopping.signal.aborted) throw new Error('stopping')
      }
      await filling
      await client.query('commit')
    } catch (error) {
      // Its COPY may be half-way.
      failure = error as Error
      if (!this.#stopping.signal.aborted) throw error
    } finally {
      client.release(failure !== undefined)
    }
    return rowCount
  }
}

/** Every minute before it is closed and stored. */
async function readCompleteThrough(pool: Pool): Promise<number> {
  const { rows } = await pool.query<{ at: Date | null }>(
    'select min(complete_through_at) as at from partition_progress',
  )
  return rows[0]?.at?.getTime() ?? 0
}
