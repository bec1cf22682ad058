/**
 * Stores one minute, chunk by chunk (minute-chunks.ts). Where nothing is of a chunk's minute yet, its block is inserted: nearly always, in
 * one statement for many. Where something is (a replay, a late or early part, series of another partition with ids nearby) the block is
 * locked, every series is merged by the rule of merge-minute.ts, and the block is written anew.
 *
 * Of an hour that may be sealed, what its hour blocks have takes the place of a record that is not there: what is stored is the whole
 * state, and nothing is where hour blocks have it all. So a hot record always has what the hour block has.
 */
import assert from 'node:assert/strict'
import type { PoolClient } from '@minutely/lib/postgres/pool'
import { secondsPerMinute } from '@minutely/schema/limits'
import { type StoredMinute, slotOf } from '@minutely/schema/minute-block/minute-block'
import { mergeRow } from './merge-minute.ts'
import {
  blockOfMinutes,
  blockOfRows,
  type ChunkBlock,
  chunkKey,
  chunksOf,
  insertBlocks,
  lockBlocks,
  type MinuteRows,
  type RowChunk,
  rowMinute,
  updateBlocks,
} from './minute-chunks.ts'
import { bitCount, type RolledMinute } from './roll-up.ts'
import { readSealedMinutes } from './sealing/sealed-minutes.ts'

/** Blocks in one statement: 1 MB, and a fraction of a second each, so that no minute is too large for the statement timeout. */
const chunksPerStatementMax = 1_024
const chunksPerMergeMax = 256
/** Rounds of insert-or-lock before we call it a defect: what another process has inserted is there to be locked in the second. */
const roundsMax = 3

/** What comes with the rows. */
export interface MinuteSource {
  /** 60 cells a row. */
  readonly values: Float64Array
  /** Of the hour some may be in hour blocks; the caller holds its lock (sealing/hour-locks.ts). */
  readonly maybeSealed: boolean
}

export interface StoredRows {
  /** Seconds that were new to the store. */
  readonly newSeconds: number
  /** Of chunks that were there, or may have been sealed. */
  readonly mergedRows: number
  /** Of some row there may have been a state before: other series of its chunk are none. */
  readonly hadStates: boolean
  /** The rows as they are in the store now. */
  readonly stored: RolledMinute
}

export interface StoreHooks {
  /** Called once, before anything is read that is then written again. */
  readonly beforeMerge?: () => Promise<void>
}

export async function storeRows(
  client: PoolClient,
  rows: MinuteRows,
  source: MinuteSource,
  { beforeMerge }: StoreHooks = {},
): Promise<StoredRows> {
  const all = chunksOf(rows)
  let present = all
  let newSeconds = 0
  if (!source.maybeSealed) {
    present = []
    for (let from = 0; from < all.length; from += chunksPerStatementMax) {
      const some = all.slice(from, from + chunksPerStatementMax)
      const inserted = await insertBlocks(
        client,
        rows.minuteMs,
        some.map((chunk) => blockOfRows(chunk, rows)),
      )
      for (const chunk of some) {
        if (!inserted.has(chunkKey(chunk))) present.push(chunk)
        else for (const row of chunk.rows) newSeconds += countOf(rowMinute(rows.rolled, row))
      }
    }
  }
  if (present.length === 0) return { newSeconds, mergedRows: 0, hadStates: false, stored: rows.rolled }
  await beforeMerge?.()
  const stored = copyOf(rows.rolled)
  let mergedRows = 0
  let hadStates = source.maybeSealed
  for (let from = 0; from < present.length; from += chunksPerMergeMax) {
    const some = present.slice(from, from + chunksPerMergeMax)
    const merged = await mergeChunks(some, { client, rows, source, stored })
    newSeconds += merged.newSeconds
    hadStates ||= merged.hadStates
    for (const chunk of some) mergedRows += chunk.rows.length
  }
  return { newSeconds, mergedRows, hadStates, stored }
}

interface Merging {
  readonly client: PoolClient
  readonly rows: MinuteRows
  readonly source: MinuteSource
  /** Gets the rows as they are stored. */
  readonly stored: RolledMinute
}

async function mergeChunks(
  all: readonly RowChunk[],
  merging: Merging,
): Promise<Pick<StoredRows, 'newSeconds' | 'hadStates'>> {
  const { client, rows, source } = merging
  const { minuteMs } = rows
  const ids = source.maybeSealed ? all.flatMap((chunk) => chunk.rows.map((row) => rows.seriesIds[row] as number)) : []
  const sealed = await readSealedMinutes(client, minuteMs, ids)
  let pending = all
  let [newSeconds, hadStates] = [0, false]
  for (let round = 0; pending.length > 0; round++) {
    assert(round < roundsMax, `BUG: ${pending.length} minute blocks could neither be inserted nor locked`)
    const existing = await lockBlocks(client, minuteMs, pending)
    const [updates, inserts]: [ChunkBlock[], ChunkBlock[]] = [[], []]
    const gained = new Map<string, number>()
    for (const chunk of pending) {
      const key = chunkKey(chunk)
      const hot = existing.get(key)
      const merged = mergeChunk(chunk, hot, { merging, sealed })
      hadStates ||= merged.hadStates
      if (merged.newSeconds === 0) continue
      gained.set(key, merged.newSeconds)
      ;(hot === undefined ? inserts : updates).push(blockOfMinutes(chunk, merged.minutes))
    }
    await updateBlocks(client, minuteMs, updates)
    const inserted = await insertBlocks(client, minuteMs, inserts)
    for (const block of updates) newSeconds += gained.get(chunkKey(block)) ?? 0
    for (const key of inserted) newSeconds += gained.get(key) ?? 0
    const missed = new Set(inserts.map(chunkKey).filter((key) => !inserted.has(key)))
    pending = pending.filter((chunk) => missed.has(chunkKey(chunk)))
  }
  return { newSeconds, hadStates }
}

interface MergedChunk {
  /** By slot: all that the block is to have. */
  readonly minutes: ReadonlyMap<number, StoredMinute>
  /** 0: nothing is to be written. */
  readonly newSeconds: number
  readonly hadStates: boolean
}

function mergeChunk(
  { rows: chunkRows }: RowChunk,
  hot: ReadonlyMap<number, StoredMinute> | undefined,
  { merging, sealed }: { readonly merging: Merging; readonly sealed: ReadonlyMap<number, StoredMinute> },
): MergedChunk {
  const { rows, source, stored } = merging
  const minutes = new Map(hot)
  let [newSeconds, hadStates] = [0, false]
  for (const row of chunkRows) {
    const seriesId = rows.seriesIds[row] as number
    const before = hot?.get(slotOf(seriesId)) ?? sealed.get(seriesId)
    hadStates ||= before !== undefined
    const incoming = rowMinute(rows.rolled, row)
    const cells = source.values.subarray(row * secondsPerMinute, (row + 1) * secondsPerMinute)
    const whole = before === undefined ? incoming : mergeRow(before, incoming, cells)
    putRow(stored, row, whole)
    if (whole === before) continue
    newSeconds += countOf(whole) - (before === undefined ? 0 : countOf(before))
    minutes.set(slotOf(seriesId), whole)
  }
  return { minutes, newSeconds, hadStates }
}

const countOf = ({ low, high }: StoredMinute): number => bitCount(low) + bitCount(high)

function copyOf(rolled: RolledMinute): RolledMinute {
  const { rowCount, seenLow, seenHigh, min, max, sum } = rolled
  return {
    rowCount,
    seenLow: seenLow.slice(),
    seenHigh: seenHigh.slice(),
    min: min.slice(),
    max: max.slice(),
    sum: sum.slice(),
  }
}

function putRow(rolled: RolledMinute, row: number, { low, high, min, max, sum }: StoredMinute): void {
  rolled.seenLow[row] = low
  rolled.seenHigh[row] = high
  rolled.min[row] = min
  rolled.max[row] = max
  rolled.sum[row] = sum
}
