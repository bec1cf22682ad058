/**
 * One part of a batch (a day of some hundred series) into the store, in one transaction with the ledger. Hours that are over become blocks
 * (sealing/import-hours.ts); the others, and series that have rows, are merged as late data is (merge-minute.ts). Storing a part twice changes
 * nothing.
 *
 *   make blocks ── begin ── ledger ── lock hours ── blocks ── rows ── servers, first seen ── ring void ── commit
 *   (no lock)              └──────────────────────── 0.2 s for any lock, else all of it again ──────────────┘
 *
 * Commits do not wait for the disk: a crash of the database takes them back from the end, ledger included, and the import goes on there.
 */
import type { Clock } from '@minutely/lib/clock'
import type { PoolClient } from '@minutely/lib/postgres/pool'
import { readRingIdentity, voidRing } from '@minutely/lib/recent-ring/ring-state'
import { secondMs } from '@minutely/schema/limits'
import type { MinutePartitions } from '../minute-partitions.ts'
import { hourMs, shareHours } from '../sealing/hour-locks.ts'
import { type HistoryHour, writeHistory } from '../sealing/import-hours.ts'
import type { SlicePacker } from '../sealing/pack-slice.ts'
import { inBriefTransaction } from '../sealing/seal-transaction.ts'
import { ensureTiers, type SealedSeries, type TierWriter, type TierWriterDeps } from '../sealing/write-sealed.ts'
import type { Span } from '../seen-servers.ts'
import type { SeriesDictionary } from '../series-dictionary.ts'
import type { ServerSlots } from '../series-slots.ts'
import { touchServers } from '../store-minutes.ts'
import { mergeHistoryRows } from './history-rows.ts'
import type { HourPoints } from './hour-points.ts'
import type { ImportSeries } from './import-series.ts'
import { type BatchPart, hoursOf, type SeriesDay } from './point-batch.ts'

export interface PartDeps {
  readonly client: PoolClient
  readonly clock: Clock
  readonly dictionary: SeriesDictionary
  readonly partitions: MinutePartitions
  readonly packer: SlicePacker
  readonly tiers: TierWriterDeps
  readonly writer: TierWriter
  /** In [0, 1), for the pauses between attempts. */
  readonly random: () => number
  /** For tests: called between statements. */
  readonly reached?: (point: PartPoint) => Promise<void>
}

export type PartPoint = 'begun' | 'blocks' | 'rows' | 'ledger' | 'committed'

export interface PartBounds {
  /** Hours that end before it may become blocks. */
  readonly sealableBeforeMs: number
  /** What is newer may be in the ring. */
  readonly ringFromMs: number
}

/** Writes the ledger within the transaction. @returns what to call when it has committed. */
export type KeepLedger = (client: PoolClient, stored: StoredPart) => Promise<() => void>

export interface StoredPart {
  /** Seconds that were new to the store. */
  readonly added: number
  /** Seconds that were left out: retention has dropped the minutes of their hours. */
  readonly expired: number
}

/** A day's partition of blocks that is there. */
const missingPartitionCode = '23514'
const pauseFirstMs = 100
const pauseMsMax = 5_000

interface SeriesHour {
  readonly seriesId: number
  readonly tenantId: number
  readonly points: HourPoints
  readonly count: number
  readonly fresh: SealedSeries | undefined
  layOn: HourPoints['layOn']
}

interface PreparedPart {
  readonly part: BatchPart
  /** By hour, ascending. */
  readonly sealable: readonly HistoryHour<SeriesHour>[]
  readonly current: readonly HistoryHour<SeriesHour>[]
}

/** @returns seconds that were new to the store. */
export async function storePart(
  part: BatchPart,
  { bounds, keepLedger }: { readonly bounds: PartBounds; readonly keepLedger: KeepLedger },
  deps: PartDeps,
): Promise<number> {
  const { clock, random } = deps
  const prepared = await prepare(part, bounds, deps)
  for (let attempt = 0; ; attempt++) {
    const stored = await attemptPart(prepared, { bounds, keepLedger }, deps)
    if (stored !== 'busy') return stored
    await clock.sleep(Math.min(pauseMsMax, pauseFirstMs * 2 ** attempt) * (0.5 + random()))
  }
}

async function attemptPart(
  prepared: PreparedPart,
  { bounds, keepLedger }: { readonly bounds: PartBounds; readonly keepLedger: KeepLedger },
  deps: PartDeps,
): Promise<number | 'busy'> {
  const { client, partitions, reached = async () => {} } = deps
  const { part, sealable, current } = prepared
  try {
    if (!(await ensureHours(sealable, deps))) return 'busy'
    for (const { hour } of current) await partitions.ensure(hour * hourMs)
    const result = await inBriefTransaction(client, async () => {
      await client.query('set local synchronous_commit = off')
      await reached('begun')
      await assertKept(part, deps)
      const written = await writeHistory(client, sealable, deps)
      await reached('blocks')
      const rows = await mergeRows([...written.left, ...current], client)
      await reached('rows')
      const added = written.added + rows
      await touch(part, deps)
      if (added > 0) await voidRingOf(part, bounds, client)
      const commit = await keepLedger(client, { added, expired: written.expired })
      await reached('ledger')
      return { added, commit }
    })
    if (result === 'busy') return 'busy'
    await reached('committed')
    result.commit()
    noteSeen(part, deps)
    return result.added
  } catch (error) {
    if ((error as { code?: string }).code !== missingPartitionCode) throw error
    // Retention, or a sealer, has dropped one that was there a moment ago.
    partitions.forget()
    for (const { hour } of [...sealable, ...current]) await partitions.ensure(hour * hourMs)
    return 'busy'
  }
}

/** @returns false when readers did not make room in time. */
async function ensureHours(hours: readonly HistoryHour<SeriesHour>[], { client, tiers }: PartDeps): Promise<boolean> {
  for (const { hour } of hours) {
    if ((await inBriefTransaction(client, () => ensureTiers(client, hour, tiers))) === 'busy') return false
  }
  return true
}

async function prepare(part: BatchPart, bounds: PartBounds, deps: PartDeps): Promise<PreparedPart> {
  const sealable = new Map<number, SeriesHour[]>()
  const current = new Map<number, SeriesHour[]>()
  for (const day of part.series) {
    const { entry } = day
    if (entry.seriesId === undefined) throw new Error('BUG: a series without an id')
    const owner = { seriesId: entry.seriesId, tenantId: await deps.dictionary.tenantId(entry.server.tenantId) }
    for (const [hour, points] of hoursOf(day)) {
      const isOver = (hour + 1) * hourMs <= bounds.sealableBeforeMs
      const list = isOver ? sealable : current
      const fresh = isOver ? deps.packer.packOver(owner, undefined, (columns) => points.layOn(columns) > 0) : undefined
      const seriesHour = { ...owner, points, count: points.count, fresh, layOn: points.layOn.bind(points) }
      const known = list.get(hour)
      if (known === undefined) list.set(hour, [seriesHour])
      else known.push(seriesHour)
    }
  }
  return { part, sealable: ascending(sealable), current: ascending(current) }
}

function ascending(hours: ReadonlyMap<number, readonly SeriesHour[]>): HistoryHour<SeriesHour>[] {
  return [...hours].sort(([a], [b]) => a - b).map(([hour, series]) => ({ hour, series }))
}

/** A database that went back in time may have given the ids to others. */
async function assertKept({ series }: BatchPart, { client, dictionary }: PartDeps): Promise<void> {
  const entries = series.map(({ entry }) => entry)
  if (await dictionary.areKept(client, entries)) return
  throw new Error('the database lost commits: series have lost their ids. Start the import again')
}

async function mergeRows(hours: readonly HistoryHour<SeriesHour>[], client: PoolClient): Promise<number> {
  if (hours.length === 0) return 0
  const sealed = await shareHours(
    client,
    hours.map(({ hour }) => hour),
  )
  let added = 0
  for (const { hour, series } of hours) {
    added += await mergeHistoryRows(client, { hour, series, maybeSealed: sealed.has(hour) })
  }
  return added
}

/** Servers and series were there since, and until. */
async function touch({ series }: BatchPart, { client, dictionary }: PartDeps): Promise<void> {
  const spans = new Map<ServerSlots, Span>()
  for (const day of series) {
    const known = spans.get(day.entry.server)
    const { first, last } = spanOf(day)
    spans.set(day.entry.server, {
      first: Math.min(known?.first ?? first, first),
      last: Math.max(known?.last ?? last, last),
    })
  }
  const news = new Map([...spans].filter(([server, span]) => !dictionary.seen.has(server, span)))
  await touchServers(client, news, { dictionary })
  const earlier = series.filter((day) => spanOf(day).first < day.entry.firstSeenMs)
  if (earlier.length === 0) return
  await client.query(
    `update series set first_seen_at = to_timestamp(first_ms / 1000.0)
     from unnest($1::integer[], $2::float8[]) as seen (id, first_ms)
     where series_id = id and first_seen_at > to_timestamp(first_ms / 1000.0)`,
    [earlier.map(({ entry }) => entry.seriesId), earlier.map((day) => spanOf(day).first)],
  )
}

function noteSeen({ series }: BatchPart, { dictionary }: PartDeps): void {
  for (const day of series) {
    const { entry } = day
    const { first, last } = spanOf(day)
    dictionary.seen.note(entry.server, { first, last })
    entry.firstSeenMs = Math.min(entry.firstSeenMs, first)
  }
}

/** The whole minutes of its points, ms since the epoch. */
function spanOf({ runs, from, to }: SeriesDay): Span {
  const minuteMs = 60 * secondMs
  const floor = (index: number): number =>
    Math.floor(((runs.seconds[index] as number) * secondMs) / minuteMs) * minuteMs
  return { first: floor(from), last: floor(to - 1) + minuteMs }
}

/**
 * The ring knows nothing of what was stored, and would answer without it. It is locked as it is until the commit, so that a repair that
 * adopts one now reads the store after it.
 */
async function voidRingOf({ series }: BatchPart, { ringFromMs }: PartBounds, client: PoolClient): Promise<void> {
  if (!series.some((day) => spanOf(day).last > ringFromMs)) return
  const identity = await readRingIdentity(client, 'share')
  if (identity.runId !== undefined) await voidRing(client, 'history was imported', identity)
}

/** The entries of a part, for whoever resolves their ids. */
export function entriesOf(parts: readonly BatchPart[]): ImportSeries[] {
  return [...new Set(parts.flatMap(({ series }) => series.map(({ entry }) => entry)))]
}
