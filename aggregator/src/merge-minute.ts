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
 */
import assert from 'node:assert/strict'
import type { PoolClient } from '@minutely/lib/postgres/pool'
import { mergeSums } from '@minutely/schema/decimal-sum'
import { secondsPerMinute } from '@minutely/schema/limits'
import type { MinuteRows } from './minute-copy.ts'
import { bitCount, type RolledMinute, rollUp, secondsPerHalf } from './roll-up.ts'

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

export async function mergeMinute(client: PoolClient, rows: MinuteRows, values: Float64Array): Promise<MergedMinute> {
  // Everybody in the same order: a deadlock (then the flush is tried again) stays rare.
  const order = Array.from({ length: rows.rolled.rowCount }, (_, row) => row)
  order.sort((a, b) => (rows.seriesIds[a] as number) - (rows.seriesIds[b] as number))
  const stored = copyOf(rows.rolled)
  let newSeconds = 0
  for (let from = 0; from < order.length; from += rowsPerStatementMax) {
    const pending = order.slice(from, from + rowsPerStatementMax)
    newSeconds += await mergeRows(client, rows, { values, pending, result: stored })
  }
  return { newSeconds, stored }
}

async function mergeRows(
  client: PoolClient,
  rows: MinuteRows,
  { values, pending, result }: { values: Float64Array; pending: number[]; result: RolledMinute },
): Promise<number> {
  let newSeconds = 0
  for (let round = 0; pending.length > 0; round++) {
    assert(round < roundsMax, `BUG: ${pending.length} minutes could neither be inserted nor locked`)
    const inserted = await insertRows(client, rows, pending)
    for (const row of inserted) newSeconds += countOf(incomingRow(rows, row))
    pending = pending.filter((row) => !inserted.has(row))
    if (pending.length === 0) break
    const stored = await lockRows(client, rows, pending)
    const changed: { row: number; merged: StoredMinute }[] = []
    for (const row of pending) {
      const existing = stored.get(rows.seriesIds[row] as number)
      if (existing === undefined) continue
      const merged = mergeRow(
        existing,
        incomingRow(rows, row),
        values.subarray(row * secondsPerMinute, (row + 1) * secondsPerMinute),
      )
      putRow(result, row, merged)
      if (merged === existing) continue
      newSeconds += countOf(merged) - countOf(existing)
      changed.push({ row, merged })
    }
    await updateRows(client, rows, changed)
    pending = pending.filter((row) => !stored.has(rows.seriesIds[row] as number))
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

const countOf = ({ low, high }: StoredMinute): number => bitCount(low) + bitCount(high)

/** Arrays for unnest, in the order of its columns. */
function columnsOf(rows: MinuteRows, picked: readonly { row: number; values: StoredMinute }[]): unknown[] {
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
async function insertRows(client: PoolClient, rows: MinuteRows, pending: readonly number[]): Promise<Set<number>> {
  const picked = pending.map((row) => ({ row, values: incomingRow(rows, row) }))
  const result = await client.query<{ series_id: number }>(
    `insert into minute (series_id, tenant_id, minute_at, seen, min, max, sum)
     select series_id, tenant_id, $1::timestamptz, high << 30 | low, min, max, sum from ${unnested}
     order by series_id
     on conflict (series_id, minute_at) do nothing
     returning series_id`,
    columnsOf(rows, picked),
  )
  const insertedIds = new Set(result.rows.map(({ series_id }) => series_id))
  return new Set(pending.filter((row) => insertedIds.has(rows.seriesIds[row] as number)))
}

async function lockRows(
  client: PoolClient,
  rows: MinuteRows,
  pending: readonly number[],
): Promise<Map<number, StoredMinute>> {
  const result = await client.query<StoredMinute & { series_id: number }>(
    `select series_id, (seen & x'3fffffff'::bigint)::integer as low, (seen >> 30)::integer as high, min, max, sum
     from minute where minute_at = $1 and series_id = any ($2::integer[])
     order by series_id for update`,
    [new Date(rows.minuteMs), pending.map((row) => rows.seriesIds[row])],
  )
  return new Map(result.rows.map((row) => [row.series_id, row]))
}

async function updateRows(
  client: PoolClient,
  rows: MinuteRows,
  changed: readonly { row: number; merged: StoredMinute }[],
): Promise<void> {
  if (changed.length === 0) return
  await client.query(
    `update minute set seen = fresh.high << 30 | fresh.low, min = fresh.min, max = fresh.max, sum = fresh.sum
     from ${unnested}
     where minute.series_id = fresh.series_id and minute.minute_at = $1::timestamptz`,
    columnsOf(
      rows,
      changed.map(({ row, merged }) => ({ row, values: merged })),
    ),
  )
}
