/**
 * The verdict at the end of a run, when all is drained: for each series and minute, acknowledged ⊆ seen ⊆ attempted, and min, max,
 * sum and count are those of the seen set. What the log lost on purpose may be missing, if a gap that was recorded covers it; so may
 * what retention dropped.
 */

import type { LogGap, LogPartition } from '@minutely/lib/sample-log/sample-log'
import { minuteMs, secondMs, secondsPerMinute } from '@minutely/schema/limits'
import { decodeLogPayload } from '@minutely/schema/log-payload'
import type { StoredMinute } from '@minutely/schema/minute-block/minute-block'
import { type LedgerMinute, type SampleLedger, sampleValue } from './sample-ledger.ts'
import type { SimBadRecords } from './sim-bad-records.ts'
import { forEachSample } from './sim-collector.ts'
import type { SimDatabase } from './sim-database.ts'
import { type DestroyedRecord, nameOf, type SimLogStorage } from './sim-log-storage.ts'
import type { SimRedis } from './sim-redis.ts'
import { ringStateOf } from './sim-ring-repair.ts'
import {
  completeThroughMs,
  type GapRow,
  gapPrefix,
  ringRow,
  type SeriesRow,
  seriesKeyOf,
  seriesPrefix,
} from './sim-tables.ts'
import { allMinutes, isForgotten, storedMinute } from './sim-tiers.ts'
import { clockText, type SimWorld } from './sim-world.ts'

export interface CheckedRun {
  readonly world: SimWorld
  readonly ledger: SampleLedger
  readonly database: SimDatabase
  readonly storage: SimLogStorage
  readonly redis: SimRedis
  readonly badRecords: SimBadRecords
}

/** @returns one line for each minute that is wrong. */
export function checkRun(run: CheckedRun): string[] {
  const lost = new LostSamples(run)
  const problems: string[] = []
  for (const minute of run.ledger.minutes) {
    const row = run.database.get<SeriesRow>(seriesKeyOf(minute.identity))
    const found = row && storedMinute(run.database, row.seriesId, minute.minuteMs)
    const problem = minuteProblem(minute, found, (second) =>
      isForgotten(run.database, minute.minuteMs) ? 'retention dropped it' : lost.excuse(minute, second),
    )
    if (problem !== undefined) problems.push(`${describeMinute(minute)}: ${problem}`)
  }
  return [...problems, ...orphans(run), ...ringProblems(run), ...run.badRecords.check()]
}

export function describeMinute({ serverId, series, minuteMs: atMs }: LedgerMinute): string {
  return `${serverId} ${series.metricId}, minute ${new Date(atMs).toISOString().slice(0, 16)}`
}

export function isSeen({ low, high }: StoredMinute, second: number): boolean {
  return ((second < 30 ? low >>> second : high >>> (second - 30)) & 1) === 1
}

/** `excuse`: undefined, or why an acknowledged second may be missing; a text that begins with ! says why it may not. */
function minuteProblem(
  minute: LedgerMinute,
  found: StoredMinute | undefined,
  excuse: (second: number) => string | undefined,
): string | undefined {
  let [count, sum, min, max] = [0, 0, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]
  for (let second = 0; second < secondsPerMinute; second++) {
    const seen = found !== undefined && isSeen(found, second)
    if (!seen) {
      if (minute.acknowledgedAtMs[second] === Number.POSITIVE_INFINITY) continue
      const why = excuse(second)
      if (why === undefined) return `second ${second} was acknowledged and is lost`
      if (why.startsWith('!')) return `second ${second} was acknowledged, and ${why.slice(1)}`
      continue
    }
    if (minute.attemptedAtMs[second] === Number.POSITIVE_INFINITY) return `second ${second} is seen, but was never sent`
    const value = sampleValue(minute.serverId, minute.series, minute.minuteMs + second * secondMs)
    count++
    sum += value
    min = Math.min(min, value)
    max = Math.max(max, value)
  }
  if (found === undefined || (found.sum === sum && found.min === min && found.max === max)) return undefined
  const doubled = found.sum > sum ? ', something is doubled' : ''
  return `sum ${found.sum}, min ${found.min}, max ${found.max}; of the ${count} seen seconds they are ${sum}, ${min}, ${max}${doubled}`
}

/** Samples in records that the log lost on purpose. */
class LostSamples {
  readonly #records = new Map<string, DestroyedRecord[]>()
  readonly #gaps: readonly GapRow[]
  readonly #begunAnew: ReadonlySet<string>

  constructor(run: CheckedRun) {
    this.#begunAnew = new Set(run.storage.destroyed.filter(({ reason }) => reason === 'rewound').map(nameOf))
    this.#gaps = run.database.entries<GapRow>(gapPrefix).map(([, gap]) => gap)
    for (const record of run.storage.destroyed) {
      if (record.isBad) continue
      for (const { serverId, ...block } of decodeLogPayload(record.payload).sections) {
        forEachSample(block, (series, atMs) => {
          const key = `${serverId} ${series.metricId} ${atMs}`
          this.#records.set(key, [...(this.#records.get(key) ?? []), record])
        })
      }
    }
  }

  excuse({ serverId, series, minuteMs: startMs }: LedgerMinute, second: number): string | undefined {
    const records = this.#records.get(`${serverId} ${series.metricId} ${startMs + second * secondMs}`)
    if (records === undefined) return undefined
    const record = records.find((one) => this.#isRecorded(one))
    if (record !== undefined) return 'the log lost it, and that is recorded'
    return `!the log lost it at ${records.map((one) => `${nameOf(one)} ${one.position} (${one.reason})`)}, which is not recorded`
  }

  #isRecorded(record: DestroyedRecord): boolean {
    const covers = (partition: LogPartition, gap: LogGap): boolean => {
      if (nameOf(partition) !== nameOf(record)) return false
      if (record.reason === 'rewound') return gap.reason === 'rewound'
      // Of a log that began anew all from the position on is gone, whatever retention had dropped of it before.
      if (gap.reason === 'rewound') return gap.fromPosition <= record.position
      // Not held yet (docs/not-held.md): the gap begins where the log before it was read to, when what that was known by is dropped too.
      const isNext = this.#begunAnew.has(nameOf(record))
      return (gap.fromPosition <= record.position || isNext) && record.position < gap.toPosition
    }
    if (this.#gaps.some((gap) => covers(gap.partition, gap))) return true
    // A log of which nothing is known cannot be told from another one; the new one is read from its start.
    return !record.isMissed
  }
}

function orphans({ database }: CheckedRun): string[] {
  const ids = new Set(database.entries<SeriesRow>(seriesPrefix).map(([, { seriesId }]) => seriesId))
  return allMinutes(database)
    .filter(({ seriesId }) => !ids.has(seriesId))
    .map(({ seriesId }) => `minutes are stored under series id ${seriesId}, which names no series`)
}

/**
 * Whatever the ring covers must be what is stored, once nothing is on its way any more. Not where the log
 * lost records: what was merged but not pushed when its process died, or lost by the database unnoticed, is made good from the log.
 */
function ringProblems({ ledger, database, redis, storage, world }: CheckedRun): string[] {
  if (storage.destroyed.length > 0) return []
  const { epoch, runId } = ringRow(database)
  const { lossToldToLogAtMs: lostAtMs, rewoundAtMs } = database
  // Of several losses in a row a later one may take the notice of an earlier one.
  if (!world.faults.embedded && lostAtMs === rewoundAtMs && Number(epoch) <= lostAtMs * 1_000)
    return [`the database lost progress at ${clockText(lostAtMs)} that the log knew of, and the ring was never void`]
  if (runId !== redis.runId) return []
  const beforeMs = completeThroughMs(database)
  const problems: string[] = []
  for (const minute of ledger.minutes) {
    const row = database.get<SeriesRow>(seriesKeyOf(minute.identity))
    if (row === undefined || minute.minuteMs + minuteMs > beforeMs || isForgotten(database, minute.minuteMs)) continue
    const inRing = redis.get({ epoch, ...row, minute: minute.minuteMs / minuteMs })
    if (inRing === undefined) continue
    const stored = storedMinute(database, row.seriesId, minute.minuteMs)
    const expected = stored && ringStateOf(stored)
    if (JSON.stringify(inRing) !== JSON.stringify(expected)) {
      problems.push(
        `${describeMinute(minute)}: the ring has ${JSON.stringify(inRing)}, stored is ${JSON.stringify(expected)}`,
      )
    }
  }
  return problems
}
