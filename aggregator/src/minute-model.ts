/**
 * For tests: the naive truth of design.md section 5 that everything else is compared with. A minute is a map from
 * second to the first value that came for it; nothing is cached, gathered or split. Values are decimals with at most
 * 3 fractional digits, so that sums are exact and every comparison may be for equality.
 */
import { TierMerge, type TierMinute } from '@minutely/lib/minute-tiers/tier-merge'
import { lockTiers, selectTiers, tierOrder } from '@minutely/lib/minute-tiers/tier-query'
import { inTransaction, type Pool } from '@minutely/lib/postgres/pool'
import { minuteMs, secondMs } from '@minutely/schema/limits'
import { encodeSeriesList, type SampleSection } from '@minutely/schema/sample-codec'
import { describeSeries, type SeriesRef } from '@minutely/schema/series-identity'

export const tenantId = 'default'

export interface Grid {
  readonly startMs: number
  readonly stepMs: number
}

/** One row of `values` a series, null = gap. */
export function sectionOf(
  serverId: string,
  { startMs, stepMs }: Grid,
  rows: readonly { series: SeriesRef; values: readonly (number | null)[] }[],
): SampleSection {
  const slotCount = rows[0]?.values.length ?? 0
  const values = Float64Array.from(rows.flatMap(({ values }) => values.map((value) => value ?? Number.NaN)))
  return {
    tenantId,
    serverId,
    startMs,
    stepMs,
    slotCount,
    series: encodeSeriesList(rows.map(({ series }) => series)),
    values: new Uint8Array(values.buffer),
  }
}

export interface ModelRow {
  /** One character a second: # seen, . not. */
  readonly seen: string
  readonly min: number
  readonly max: number
  readonly sum: number
}

/** Series and minute -> row, in the order of the keys: what deepEqual compares. */
export type ModelTable = Record<string, ModelRow>

export class MinuteModel {
  readonly #minutes = new Map<string, Map<number, number>>()
  readonly counts = { folded: 0, duplicate: 0, conflict: 0 }

  add(serverId: string, { startMs, stepMs }: Grid, rows: Parameters<typeof sectionOf>[2]): void {
    for (const { series, values } of rows) {
      for (const [slot, value] of values.entries()) {
        if (value !== null) this.#addOne(serverId, series, { atMs: startMs + slot * stepMs, value })
      }
    }
  }

  #addOne(serverId: string, series: SeriesRef, { atMs, value }: { atMs: number; value: number }): void {
    const minute = Math.floor(atMs / minuteMs) * minuteMs
    const key = modelKey(serverId, series, minute)
    const seconds = this.#minutes.get(key) ?? new Map<number, number>()
    this.#minutes.set(key, seconds)
    const second = (atMs - minute) / secondMs
    const present = seconds.get(second)
    if (present === undefined) {
      seconds.set(second, value)
      this.counts.folded++
    } else if (present === value) this.counts.duplicate++
    else this.counts.conflict++
  }

  table(): ModelTable {
    return sorted([...this.#minutes].map(([key, seconds]) => [key, modelRow(seconds)]))
  }
}

export function modelKey(serverId: string, series: SeriesRef, atMs: number): string {
  return `${serverId} ${describeSeries(series)} ${new Date(atMs).toISOString()}`
}

export function modelRow(seconds: ReadonlyMap<number, number>): ModelRow {
  const values = [...seconds.values()]
  const scaled = values.reduce((sum, value) => sum + BigInt(Math.round(value * 1_000)), 0n)
  return {
    seen: Array.from({ length: 60 }, (_, second) => (seconds.has(second) ? '#' : '.')).join(''),
    min: values.reduce((min, value) => (value < min ? value : min), Number.POSITIVE_INFINITY) + 0,
    max: values.reduce((max, value) => (value > max ? value : max), Number.NEGATIVE_INFINITY) + 0,
    sum: Number(scaled) / 1_000,
  }
}

/** A row of ours in the words of the model. */
export function rowInWords(row: { low: number; high: number; min: number; max: number; sum: number }): ModelRow {
  const bits = (BigInt(row.high) << 30n) | BigInt(row.low)
  const seen = Array.from({ length: 60 }, (_, second) => ((bits >> BigInt(second)) & 1n ? '#' : '.')).join('')
  return { seen, min: row.min, max: row.max, sum: row.sum }
}

/** What Postgres has, in both tiers. */
export async function storedTable(pool: Pool): Promise<ModelTable> {
  const { rows } = await pool.query('select series_id, server_id, metric_id, labels from series')
  const seriesOf = new Map(rows.map((row) => [row.series_id, row]))
  return sorted(
    (await storedMinutes(pool)).flatMap(({ seriesId, minute, seenLow, seenHigh, ...values }) => {
      const row = seriesOf.get(seriesId)
      if (row === undefined) return []
      // Halves of 32 and 28 to halves of 30.
      const [low, high] = [seenLow & 0x3fffffff, (seenHigh << 2) | (seenLow >>> 30)]
      const series = { metricId: row.metric_id, labels: row.labels }
      return [[modelKey(row.server_id, series, minute * minuteMs), rowInWords({ low, high, ...values })]]
    }),
  )
}

/** By series, then minute; a minute once. */
export async function storedMinutes(pool: Pool): Promise<TierMinute[]> {
  const minutes: TierMinute[] = []
  const everything = { fromMinute: 0, toMinute: Number.POSITIVE_INFINITY }
  const merge = new TierMerge(everything, { minute: (minute) => minutes.push({ ...minute }) })
  const { rows } = await inTransaction(pool, async (client) => {
    await client.query(lockTiers)
    const tiers = selectTiers({ fromMs: 0, toMs: Number.MAX_SAFE_INTEGER })
    return client.query(`select * from (${tiers}) as tiers order by ${tierOrder}`)
  })
  for (const { place: seriesId, at, block } of rows) {
    const minute = Math.ceil(at.getTime() / minuteMs)
    if (at.getTime() === minute * minuteMs) merge.minutes({ seriesId, minute }, block ?? undefined)
    else merge.block({ seriesId, hour: minute / 60 }, block)
  }
  merge.end()
  return minutes.sort((a, b) => a.seriesId - b.seriesId || a.minute - b.minute)
}

function sorted(entries: [string, ModelRow][]): ModelTable {
  return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)))
}
