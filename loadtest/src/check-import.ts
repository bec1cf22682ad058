/**
 * Compares every minute that the store has of a benchmark's history with the generator: none is missing, none is there twice or too much,
 * and seconds, minimum, maximum and sum are what the points make. Computed by counting in whole hundredths, not by the code that stored it.
 */
import { TierMerge, type TierMinute } from '@minutely/lib/minute-tiers/tier-merge'
import { selectTiers, tierOrder } from '@minutely/lib/minute-tiers/tier-query'
import type { Pool } from '@minutely/lib/postgres/pool'
import { type HistoryShape, hundredthsOf, metricOf, serverOf, timeOf } from './import-history.ts'

const minuteMs = 60_000
const seriesPerQuestion = 50

export interface ImportCheck {
  readonly minutes: number
  readonly points: number
  /** The first few. */
  readonly problems: readonly string[]
}

export async function checkImport(pool: Pool, shape: HistoryShape): Promise<ImportCheck> {
  const ids = await readIds(pool, shape)
  const problems: string[] = []
  const found = { minutes: 0, points: 0 }
  for (let from = 0; from < shape.seriesCount; from += seriesPerQuestion) {
    const list = ids.slice(from, from + seriesPerQuestion)
    await checkSeries(pool, { ids: list, first: from }, { shape, problems, found })
  }
  const expected = shape.seriesCount * shape.pointsPerSeries
  if (found.points !== expected) problems.push(`${found.points} points are there, of ${expected}`)
  return { ...found, problems: problems.slice(0, 10) }
}

async function readIds(pool: Pool, { seriesCount }: HistoryShape): Promise<number[]> {
  const { rows } = await pool.query<{ series_id: number; server_id: string; metric_id: string }>(
    'select series_id, server_id, metric_id from series',
  )
  const idOf = new Map(rows.map(({ series_id, server_id, metric_id }) => [`${server_id} ${metric_id}`, series_id]))
  if (idOf.size !== rows.length || rows.length !== seriesCount) {
    throw new Error(`${rows.length} series are there, of ${seriesCount}`)
  }
  return Array.from({ length: seriesCount }, (_, series) => idOf.get(`${serverOf(series)} ${metricOf(series)}`) ?? -1)
}

interface Checking {
  readonly shape: HistoryShape
  readonly problems: string[]
  readonly found: { minutes: number; points: number }
}

async function checkSeries(
  pool: Pool,
  { ids, first }: { readonly ids: readonly number[]; readonly first: number },
  { shape, problems, found }: Checking,
): Promise<void> {
  const seriesOf = new Map(ids.map((id, index) => [id, first + index]))
  const merge = new TierMerge(
    { fromMinute: 0, toMinute: Number.POSITIVE_INFINITY, seriesIds: ids },
    {
      minute: (minute) => {
        const series = seriesOf.get(minute.seriesId) ?? -1
        const wanted = expectedMinute(shape, series, minute.minute * minuteMs)
        found.minutes++
        found.points += wanted.count
        if (!isSame(minute, wanted))
          problems.push(`series ${series}, minute ${minute.minute}: ${JSON.stringify({ minute, wanted })}`)
      },
    },
  )
  const tiers = selectTiers({ fromMs: 0, toMs: Number.MAX_SAFE_INTEGER, seriesIds: ids })
  const { rows } = await pool.query(`select * from (${tiers}) as tiers order by ${tierOrder}`)
  for (const { place: seriesId, at, block } of rows) {
    const minute = Math.ceil(at.getTime() / minuteMs)
    if (at.getTime() === minute * minuteMs) merge.minutes({ seriesId, minute }, block ?? undefined)
    else merge.block({ seriesId, hour: minute / 60 }, block)
  }
  merge.end()
}

interface WantedMinute {
  readonly count: number
  readonly seen: bigint
  readonly min: number
  readonly max: number
  readonly sum: number
}

function expectedMinute(shape: HistoryShape, series: number, minuteAtMs: number): WantedMinute {
  const { startMs, stepMs, pointsPerSeries } = shape
  let index = Math.max(0, Math.ceil((minuteAtMs - startMs) / stepMs))
  let [count, seen, min, max, sum] = [0, 0n, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 0]
  for (; index < pointsPerSeries && timeOf(shape, index) < minuteAtMs + minuteMs; index++) {
    const value = hundredthsOf(series, index)
    seen |= 1n << BigInt(Math.floor((timeOf(shape, index) - minuteAtMs) / 1_000))
    count++
    sum += value
    min = Math.min(min, value)
    max = Math.max(max, value)
  }
  return { count, seen, min: min / 100, max: max / 100, sum: sum / 100 }
}

function isSame(minute: TierMinute, { count, seen, min, max, sum }: WantedMinute): boolean {
  const bits = (BigInt(minute.seenHigh) << 32n) | BigInt(minute.seenLow)
  return count > 0 && bits === seen && minute.min === min && minute.max === max && minute.sum === sum
}
