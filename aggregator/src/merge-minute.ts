/**
 * The merge: what happens when a minute of a series is in the store already. A minute is a set of (second, value), and
 * we still have every value of the incoming one, so the rule is: add the seconds that the store has not seen.
 *
 *   disjoint            -> combine
 *   incoming a superset -> the incoming one (equal to combining, but summed in one go), unless a stored second had
 *                          another value: the first value of a second wins, so then only the new seconds are added
 *   incoming a subset   -> nothing changes
 *   partial overlap     -> combine with the seconds that are new
 *
 * Hence storing the same minute twice, in parts, in any order, by any number of processes, ends in the same row.
 * Rows are locked before they are read; rows that another process inserts meanwhile are seen in the next round.
 *
 * Of an hour that may be sealed, what its blocks have takes the place of a row that is not there: the row that is inserted is the
 * whole state, blocks included, and none is where the blocks have it all. So a hot row always has what the blocks have.
 */
import assert from 'node:assert/strict'
import type { PoolClient } from '@minutely/lib/postgres/pool'
import { mergeSums } from '@minutely/schema/decimal-sum'
import { secondsPerMinute } from '@minutely/schema/limits'
import type { MinuteRows } from './minute-copy.ts'
import { bitCount, type RolledMinute, rollUp, secondsPerHalf } from './roll-up.ts'
import { readSealedMinutes } from './sealing/sealed-minutes.ts'

export interface StoredMinute {
  readonly low: number
  readonly high: number
  readonly min: number
  readonly max: number
  readonly sum: number
}

/** Rounds of insert-or-lock before we call it a defect: each needs another process to have inserted in between. */
const roundsMax = 10

/** Rows in one statement: a fraction of a second each, so that no minute is too large for the statement timeout. */
const rowsPerStatementMax = 5_000

export interface MergedMinute {
  /** Seconds that were new to the store. */
  readonly newSeconds: number
  /** The rows as they are in the store now. */
  readonly stored: RolledMinute
}

/** What comes with the rows. */
export interface MergeSource {
  /** 60 cells a row. */
  readonly values: Float64Array
  /** Of the hour some may be in blocks; the caller holds its lock (sealing/hour-locks.ts). */
  readonly maybeSealed: boolean
}

/** One statement's worth. */
interface MergeBatch {
  readonly client: PoolClient
  readonly rows: MinuteRows
  readonly values: Float64Array
  /** By series id: what the blocks have. */
  readonly sealed: ReadonlyMap<number, StoredMinute>
  /** Gets the rows as they are stored. */
  readonly result: RolledMinute
}

export async function mergeMinute(client: PoolClient, rows: MinuteRows, source: MergeSource): Promise<MergedMinute> {
  const { values, maybeSealed } = source
  // Everybody in the same order: a deadlock (then the flush is tried again) stays rare.
  const order = Array.from({ length: rows.rolled.rowCount }, (_, row) => row)
  order.sort((a, b) => (rows.seriesIds[a] as number) - (rows.seriesIds[b] as number))
  const stored = copyOf(rows.rolled)
  let newSeconds = 0
  for (let from = 0; from < order.length; from += rowsPerStatementMax) {
    const pending = order.slice(from, from + rowsPerStatementMax)
    const seriesIds = pending.map((row) => rows.seriesIds[row] as number)
    const sealed = maybeSealed ? await readSealedMinutes(client, rows.minuteMs, seriesIds) : new Map()
    newSeconds += await mergeRows(pending, { client, rows, values, sealed, result: stored })
  }
  return { newSeconds, stored }
}

async function mergeRows(all: readonly number[], batch: MergeBatch): Promise<number> {
  const { rows, result } = batch
  let newSeconds = 0
  let pending = all
  for (let round = 0; pending.length > 0; round++) {
    assert(round < roundsMax, `BUG: ${pending.length} minutes could neither be inserted nor locked`)
    const fresh: Picked[] = []
    for (const row of pending) {
      const sealed = sealedOf(batch, row)
      const whole =
        sealed === undefined ? incomingRow(rows, row) : mergeRow(sealed, incomingRow(rows, row), cellsOf(batch, row))
      putRow(result, row, whole)
      if (whole !== sealed) fresh.push({ row, values: whole })
    }
    const inserted = await insertRows(batch, fresh)
    for (const { row, values } of fresh) {
      if (inserted.has(row)) newSeconds += countOf(values) - countOf(sealedOf(batch, row))
    }
    pending = pending.filter((row) => !inserted.has(row))
    if (pending.length === 0) break
    const stored = await lockRows(batch, pending)
    newSeconds += await updateRows(batch, pending, stored)
    // What has no row and needs none is in a block as it is in the result.
    const needed = new Set(fresh.map(({ row }) => row))
    pending = pending.filter((row) => needed.has(row) && !stored.has(rows.seriesIds[row] as number))
  }
  return newSeconds
}

/** Pure. `values`: the 60 cells of the incoming row. Returns `stored` itself when nothing is new. */
export function mergeRow(stored: StoredMinute, incoming: StoredMinute, values: Float64Array): StoredMinute {
  const newLow = incoming.low & ~stored.low
  const newHigh = incoming.high & ~stored.high
  if (newLow === 0 && newHigh === 0) return stored
  if (holds(incoming, stored, values)) return incoming
  const fresh = rollUp({ rowCount: 1, values: pick(values, { low: newLow, high: newHigh }) })
  return {
    low: stored.low | newLow,
    high: stored.high | newHigh,
    min: Math.min(stored.min, fresh.min[0] as number),
    max: Math.max(stored.max, fresh.max[0] as number),
    sum: mergeSums(stored.sum, fresh.sum[0] as number),
  }
}

/** True when the incoming row has all that is stored, with the same values as far as can be told. */
function holds(incoming: StoredMinute, stored: StoredMinute, values: Float64Array): boolean {
  if ((stored.low & ~incoming.low) !== 0 || (stored.high & ~incoming.high) !== 0) return false
  const { min, max, sum } = rollUp({ rowCount: 1, values: pick(values, stored) })
  return min[0] === stored.min && max[0] === stored.max && sum[0] === stored.sum
}

/** The cells of these seconds, NaN elsewhere. */
function pick(values: Float64Array, { low, high }: { low: number; high: number }): Float64Array {
  return values.map((value, second) => {
    const bit = second < secondsPerHalf ? low & (1 << second) : high & (1 << (second - secondsPerHalf))
    return bit === 0 ? Number.NaN : value
  })
}

function incomingRow({ rolled }: MinuteRows, row: number): StoredMinute {
  return {
    low: rolled.seenLow[row] as number,
    high: rolled.seenHigh[row] as number,
    min: rolled.min[row] as number,
    max: rolled.max[row] as number,
    sum: rolled.sum[row] as number,
  }
}

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

const countOf = (minute: StoredMinute | undefined): number =>
  minute === undefined ? 0 : bitCount(minute.low) + bitCount(minute.high)

const sealedOf = ({ rows, sealed }: MergeBatch, row: number): StoredMinute | undefined =>
  sealed.get(rows.seriesIds[row] as number)

const cellsOf = ({ values }: MergeBatch, row: number): Float64Array =>
  values.subarray(row * secondsPerMinute, (row + 1) * secondsPerMinute)

interface Picked {
  readonly row: number
  readonly values: StoredMinute
}

/** Arrays for unnest, in the order of its columns. */
function columnsOf(rows: MinuteRows, picked: readonly Picked[]): unknown[] {
  return [
    new Date(rows.minuteMs),
    picked.map(({ row }) => rows.seriesIds[row]),
    picked.map(({ row }) => rows.tenantIds[row]),
    picked.map(({ values }) => values.low),
    picked.map(({ values }) => values.high),
    picked.map(({ values }) => values.min),
    picked.map(({ values }) => values.max),
    picked.map(({ values }) => values.sum),
  ]
}

const unnested = `unnest($2::integer[], $3::integer[], $4::bigint[], $5::bigint[], $6::float8[], $7::float8[], $8::float8[])
  as fresh (series_id, tenant_id, low, high, min, max, sum)`

/** @returns the rows that were not in the store. */
async function insertRows({ client, rows }: MergeBatch, picked: readonly Picked[]): Promise<Set<number>> {
  if (picked.length === 0) return new Set()
  const result = await client.query<{ series_id: number }>(
    `insert into minute (series_id, tenant_id, minute_at, seen, min, max, sum)
     select series_id, tenant_id, $1::timestamptz, high << 30 | low, min, max, sum from ${unnested}
     order by series_id
     on conflict (series_id, minute_at) do nothing
     returning series_id`,
    columnsOf(rows, picked),
  )
  const insertedIds = new Set(result.rows.map(({ series_id }) => series_id))
  return new Set(picked.map(({ row }) => row).filter((row) => insertedIds.has(rows.seriesIds[row] as number)))
}

async function lockRows({ client, rows }: MergeBatch, pending: readonly number[]): Promise<Map<number, StoredMinute>> {
  const result = await client.query<StoredMinute & { series_id: number }>(
    `select series_id, (seen & x'3fffffff'::bigint)::integer as low, (seen >> 30)::integer as high, min, max, sum
     from minute where minute_at = $1 and series_id = any ($2::integer[])
     order by series_id for update`,
    [new Date(rows.minuteMs), pending.map((row) => rows.seriesIds[row])],
  )
  return new Map(result.rows.map((row) => [row.series_id, row]))
}

/** Rows that are locked. @returns how many seconds were new to them. */
async function updateRows(
  batch: MergeBatch,
  pending: readonly number[],
  stored: ReadonlyMap<number, StoredMinute>,
): Promise<number> {
  const { client, rows, result } = batch
  let newSeconds = 0
  const changed: Picked[] = []
  for (const row of pending) {
    const existing = stored.get(rows.seriesIds[row] as number)
    if (existing === undefined) continue
    const merged = mergeRow(existing, incomingRow(rows, row), cellsOf(batch, row))
    putRow(result, row, merged)
    if (merged === existing) continue
    newSeconds += countOf(merged) - countOf(existing)
    changed.push({ row, values: merged })
  }
  if (changed.length === 0) return 0
  await client.query(
    `update minute set seen = fresh.high << 30 | fresh.low, min = fresh.min, max = fresh.max, sum = fresh.sum
     from ${unnested}
     where minute.series_id = fresh.series_id and minute.minute_at = $1::timestamptz`,
    columnsOf(rows, changed),
  )
  return newSeconds
}
