/**
 * Seals spans in the simulated database: the moves of aggregator/src/sealing (hour-sealer.ts, seal-hour.ts, due-hours.ts) in their order, with
 * the real packing (pack-slice.ts). Runs in every aggregator, works in the one whose session holds the lock. Each step, and each slice, may
 * be its last; late data comes in between. Draws from a stream of its own.
 *
 *   begin   span locked: sealing, not dirty      pack   slice by slice      finish   span locked: unless dirty, sealed, rows gone
 */

import type { HotSeries } from '@minutely/aggregator/sealing/hour-slice'
import { SlicePacker } from '@minutely/aggregator/sealing/pack-slice'
import { createMinuteColumns, type MinuteColumns, minutesPerHour } from '@minutely/schema/hour-block/minute-columns'
import { minuteMs } from '@minutely/schema/limits'
import type { StoredMinute } from '@minutely/schema/minute-block/minute-block'
import type { SimDatabase, SimTransaction } from './sim-database.ts'
import { LockTimeoutError } from './sim-locks.ts'
import type { SimProcess } from './sim-process.ts'
import type { SimRandom } from './sim-random.ts'
import { SimSession } from './sim-session.ts'
import { blockKey, completeThroughMs, minutePrefix, numbersOf, type SealRow, sealKey, spanLock } from './sim-tables.ts'
import { hotSpans, spanOf, spanOfKey } from './sim-tiers.ts'

export interface SimSealerDeps {
  readonly database: SimDatabase
  readonly process: SimProcess
  readonly random: SimRandom
  /** The last step does not ask whether late data came. */
  readonly ignoresDirty?: boolean | undefined
}

const lookMsMax = 4_000
const resealAfterMs = 2_000
const lockWaitMs = 200
const attemptsMax = 5
/** One or two series a slice. */
const seriesPerSliceMax = 2
const pauseMsMax = 8_000

export async function runSealer(deps: SimSealerDeps): Promise<void> {
  const { process, random } = deps
  let session: SimSession | undefined
  for (;;) {
    await process.clock.sleep(random.between(200, lookMsMax))
    try {
      session = session?.isOpen ? session : await lead(deps)
      if (session !== undefined) await sealDue(session, deps)
    } catch {
      // Another look, by whoever has the lock then.
      session?.close()
    }
  }
}

async function sealDue(session: SimSession, deps: SimSealerDeps): Promise<void> {
  for (const { span, isEmpty } of await dueSpans(session, deps)) {
    if (isEmpty) await stubborn(deps, () => finish(session, span, deps))
    else await sealSpan(session, span, deps)
  }
}

/** @returns undefined when another process is the one that seals. */
function lead({ database, process }: SimSealerDeps): Promise<SimSession | undefined> {
  return database.single(process, 'try to lead', () => {
    if (database.sealer?.isOpen) return undefined
    database.sealer = new SimSession(database, process)
    return database.sealer
  })
}

function dueSpans(
  session: SimSession,
  { database, process }: SimSealerDeps,
): Promise<{ span: number; isEmpty: boolean }[]> {
  const { spanMs } = database.tiers
  const { sealDelayMs, retentionMs } = database.world.faults
  return session.single('find due spans', (transaction) => {
    const throughMs = completeThroughMs(database)
    const nowMs = process.clock.nowMs()
    return hotSpans(database)
      .filter((span) => (span + 1) * spanMs + sealDelayMs <= throughMs && (span + 1) * spanMs > nowMs - retentionMs)
      .flatMap((span): { span: number; isEmpty: boolean }[] => {
        const seal = transaction.get<SealRow>(sealKey(span))
        if (seal?.state === 'sealed' && !seal.dirty) return [{ span, isEmpty: true }]
        return seal === undefined || seal.triedAtMs + resealAfterMs <= nowMs ? [{ span, isEmpty: false }] : []
      })
  })
}

export async function sealSpan(session: SimSession, span: number, deps: SimSealerDeps): Promise<void> {
  const { database, process } = deps
  const begun = await stubborn(deps, () => begin(session, span, deps))
  if (begun === 'busy') return
  await pack(session, { span, isFirst: begun === 'first' }, deps)
  const outcome = await stubborn(deps, () => finish(session, span, deps))
  database.world.note(process.name, `sealing span ${span}: ${outcome}`)
  if (outcome === 'dirty') database.seals.dirty++
  else if (outcome === 'sealed' && begun === 'first') database.seals.sealed++
  else if (outcome === 'sealed') database.seals.resealed++
}

function begin(session: SimSession, span: number, { process }: SimSealerDeps): Promise<'first' | 'again'> {
  return session.transaction(async (transaction) => {
    await holdSpan(transaction, span)
    return transaction.statement('begin sealing', () => {
      const known = transaction.get<SealRow>(sealKey(span))
      const row: SealRow = { state: 'sealing', dirty: false, triedAtMs: process.clock.nowMs() }
      transaction.put(sealKey(span), row)
      return known === undefined ? 'first' : 'again'
    })
  })
}

async function pack(
  session: SimSession,
  { span, isFirst }: { readonly span: number; readonly isFirst: boolean },
  { database, process, random }: SimSealerDeps,
): Promise<void> {
  const packer = new SlicePacker()
  for (let afterSeriesId = 0; ; ) {
    const slice = await session.single('read slice', () =>
      sliceAfter(afterSeriesId, { database, span, seriesMax: random.between(1, seriesPerSliceMax) }),
    )
    if (slice.length === 0) return
    const seriesIds = slice.map(({ seriesId }) => seriesId)
    const existing = isFirst
      ? new Map<number, { readonly block: Buffer }>()
      : await session.single('read blocks', (transaction) => {
          const blocks = seriesIds.map((id) => [id, transaction.get<Buffer>(blockKey(id, span))] as const)
          return new Map(blocks.flatMap(([id, block]) => (block === undefined ? [] : [[id, { block }] as const])))
        })
    const packed = packer.pack(slice, existing)
    await session.transaction((transaction) =>
      transaction.statement('write blocks', () => {
        for (const { seriesId, block } of packed) transaction.put(blockKey(seriesId, span), block)
      }),
    )
    afterSeriesId = seriesIds.at(-1) ?? afterSeriesId
    await process.clock.sleep(random.skewed(pauseMsMax))
  }
}

interface SliceQuestion {
  readonly database: SimDatabase
  readonly span: number
  readonly seriesMax: number
}

/** The hot minutes of the next series, in their order. */
function sliceAfter(afterSeriesId: number, { database, span, seriesMax }: SliceQuestion): HotSeries[] {
  const { spanMs } = database.tiers
  const bySeries = new Map<number, MinuteColumns>()
  for (const [key, { low, high, min, max, sum }] of database.entries<StoredMinute>(minutePrefix)) {
    const [seriesId = 0, atMs = 0] = numbersOf(key, minutePrefix)
    if (seriesId <= afterSeriesId || spanOf(atMs, database.tiers) !== span) continue
    const columns = bySeries.get(seriesId) ?? createMinuteColumns(minutesPerHour)
    bySeries.set(seriesId, columns)
    const slot = (atMs - span * spanMs) / minuteMs
    columns.seenLow[slot] = low
    columns.seenHigh[slot] = high
    columns.min[slot] = min
    columns.max[slot] = max
    columns.sum[slot] = sum
  }
  const ids = [...bySeries.keys()].sort((a, b) => a - b).slice(0, seriesMax)
  return ids.map((seriesId) => ({ seriesId, tenantId: 1, columns: bySeries.get(seriesId) as MinuteColumns }))
}

function finish(
  session: SimSession,
  span: number,
  { database, ignoresDirty }: SimSealerDeps,
): Promise<'sealed' | 'dirty'> {
  return session.transaction(async (transaction) => {
    await holdSpan(transaction, span)
    const isClean = await transaction.statement('mark as sealed', () => {
      const row = transaction.get<SealRow>(sealKey(span))
      if (row === undefined || (row.dirty && ignoresDirty !== true)) return false
      transaction.put(sealKey(span), { ...row, dirty: false, state: 'sealed' } satisfies SealRow)
      return true
    })
    if (!isClean) return 'dirty'
    await transaction.statement('drop rows', () => {
      for (const [key] of database.entries(minutePrefix)) {
        if (spanOfKey(key, database.tiers) === span) transaction.put(key, undefined)
      }
    })
    return 'sealed'
  })
}

/** Waits for the flushes that share it. */
function holdSpan(transaction: SimTransaction, span: number): Promise<void> {
  return transaction.statement('hold span', () => transaction.lock(spanLock(span), { waitMsMax: lockWaitMs }))
}

/** Tries while it is busy. */
async function stubborn<T extends string>(
  { process, random }: SimSealerDeps,
  work: () => Promise<T>,
): Promise<T | 'busy'> {
  for (let attempt = 0; attempt < attemptsMax; attempt++) {
    try {
      return await work()
    } catch (error) {
      if (!(error instanceof LockTimeoutError)) throw error
    }
    await process.clock.sleep(random.between(100, 250 * 2 ** attempt))
  }
  return 'busy'
}
