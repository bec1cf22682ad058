/**
 * A reader as query-api is one, all the time: completeThrough, then the dictionary, the ring under its identity, then the database for what
 * the ring does not cover (query-api/src/read-range.ts, lib/src/recent-ring/recent-ring.ts). What it is told before completeThrough is
 * final: it must have every second acknowledged before the minute's end + lateness (loadtest/src/fleet/final-watch.ts).
 *
 * Not promised, so not judged: an answer while the database was set back; what the log lost on purpose, or retention dropped; and while a partition
 * with records has no progress yet, because nobody has begun to read it.
 */

import { minuteMs, secondsPerMinute } from '@minutely/schema/limits'
import type { StoredMinute } from '@minutely/schema/minute-block/minute-block'
import type { LedgerMinute, SampleLedger } from './sample-ledger.ts'
import { simLatenessMs } from './sim-aggregator.ts'
import { describeMinute, isSeen } from './sim-checker.ts'
import type { SimDatabase } from './sim-database.ts'
import type { SimLogStorage } from './sim-log-storage.ts'
import type { SimProcess } from './sim-process.ts'
import { bitsIn, type RingState, type SimRedis } from './sim-redis.ts'
import { completeThroughMs, progressKey, type RingRow, ringRow, type SeriesRow, seriesPrefix } from './sim-tables.ts'
import { halvesOf30, isForgotten, storedMinute } from './sim-tiers.ts'
import { clockText, type SimWorld } from './sim-world.ts'

export interface SimReaderDeps {
  readonly world: SimWorld
  readonly process: SimProcess
  readonly ledger: SampleLedger
  readonly database: SimDatabase
  readonly storage: SimLogStorage
  readonly redis: SimRedis
}

interface Answer {
  readonly state: StoredMinute | undefined
  readonly from: 'ring' | 'database'
}

const problemsMax = 5

export class SimReader {
  readonly problems: string[] = []
  finalCount = 0
  readonly #deps: SimReaderDeps

  constructor(deps: SimReaderDeps) {
    this.#deps = deps
  }

  async run(): Promise<void> {
    const { process, world } = this.#deps
    for (;;) {
      await process.clock.sleep(world.random.between(1_000, 9_000))
      try {
        await this.#readAll()
      } catch {
        // The database is away; another look.
      }
    }
  }

  async #readAll(): Promise<void> {
    const { database, process, redis, ledger } = this.#deps
    const { rewindCount } = database
    const [beforeMs, isBegun] = await database.single(process, 'read completeThrough', () => {
      return [completeThroughMs(database), this.#allBegun()] as const
    })
    const known = await database.single(process, 'read dictionary', () => {
      return new Map(
        database.entries<SeriesRow>(seriesPrefix).map(([key, row]) => [key.slice(seriesPrefix.length), row]),
      )
    })
    const minutes = [...ledger.minutes].filter(
      (minute) => minute.minuteMs + minuteMs <= beforeMs && known.has(minute.identity),
    )
    const identity = await database.single(process, 'read ring state', () => ringRow(database))
    const inRing = await process.call(async () => {
      await this.#deps.world.delay(this.#deps.world.random.skewed(50))
      return identity.runId === redis.runId ? minutes.map((minute) => this.#ringState(minute, known, identity)) : []
    })
    const answers = await database.single(process, 'read minutes', () =>
      minutes.map((minute, index): Answer => {
        const state = inRing[index]
        if (state !== undefined) return { state: minuteOf(state), from: 'ring' }
        return { state: storedOf(database, known.get(minute.identity), minute), from: 'database' }
      }),
    )
    if (database.rewindCount !== rewindCount || !isBegun) return
    for (const [index, minute] of minutes.entries()) this.#judge(minute, answers[index] as Answer)
  }

  /** Every partition that has records is counted in completeThrough. */
  #allBegun(): boolean {
    const { storage, database } = this.#deps
    return [...storage.partitions.values()].every(
      (log) => log.records.length === 0 || database.get(progressKey(log)) !== undefined,
    )
  }

  #ringState(minute: LedgerMinute, known: ReadonlyMap<string, SeriesRow>, { epoch }: RingRow): RingState | undefined {
    const { redis, database } = this.#deps
    const row = known.get(minute.identity)
    if (row === undefined) return undefined
    const state = redis.get({ epoch, ...row, minute: minute.minuteMs / minuteMs })
    // Until somebody notices that the database lost commits, the ring has what it has not.
    if (state === undefined || database.rewoundAtMs * 1_000 >= Number(epoch)) return state
    if (isForgotten(database, minute.minuteMs)) return state
    const stored = storedOf(database, row, minute)
    const { low, high } = minuteOf(state)
    if ((low & ~(stored?.low ?? 0)) !== 0 || (high & ~(stored?.high ?? 0)) !== 0) {
      const count = bitsIn(state.seenLow) + bitsIn(state.seenHigh)
      this.#note(`${describeMinute(minute)}: the ring has ${count} seconds, some of which are not stored`)
    }
    return state
  }

  #judge(minute: LedgerMinute, { state, from }: Answer): void {
    this.finalCount++
    if (isForgotten(this.#deps.database, minute.minuteMs)) return
    const { partitionCount, partitionCountLater } = this.#deps.world.faults
    // A minute whose server moves to another partition is pushed by both, each when its own part is closed: until the later push has
    // arrived the ring has the earlier part.
    if (from === 'ring' && partitionCountLater > partitionCount) return
    const dueMs = minute.minuteMs + minuteMs + simLatenessMs
    for (let second = 0; second < secondsPerMinute; second++) {
      const acknowledgedAtMs = minute.acknowledgedAtMs[second] as number
      if (acknowledgedAtMs >= dueMs || (state !== undefined && isSeen(state, second))) continue
      // Which of the records that the log lost it was in is the checker's business.
      if (this.#deps.storage.destroyed.length > 0) return
      const when = clockText(acknowledgedAtMs)
      this.#note(`${describeMinute(minute)}: final by the ${from} without second ${second}, acknowledged at ${when}`)
      return
    }
  }

  #note(problem: string): void {
    const { world } = this.#deps
    if (this.problems.length < problemsMax) this.problems.push(`${clockText(world.nowMs)} a reader saw: ${problem}`)
  }
}

function storedOf(database: SimDatabase, row: SeriesRow | undefined, minute: LedgerMinute): StoredMinute | undefined {
  return row && storedMinute(database, row.seriesId, minute.minuteMs)
}

/** Halves of 32 and 28 bits to halves of 30. */
function minuteOf({ seenLow, seenHigh, min, max, sum }: RingState): StoredMinute {
  return { ...halvesOf30(seenLow, seenHigh), min, max, sum }
}
