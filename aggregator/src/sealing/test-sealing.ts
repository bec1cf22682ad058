/** For tests of sealing: a database with hours of minutes, owners of partitions that store more, sealers, and what must come out. */
import { VirtualClock } from '@minutely/lib/clock'
import type { Pool } from '@minutely/lib/postgres/pool'
import { silentLog } from '@minutely/lib/postgres/test-database'
import { createRegistry } from '@minutely/lib/process-metrics'
import { DayBlockDecoder } from '@minutely/schema/day-block/decode-day-block'
import { createHourColumns } from '@minutely/schema/day-block/hour-columns'
import { addMinute, type HourValues } from '@minutely/schema/day-block/roll-up-hour'
import { MinuteModel, type ModelTable, sectionOf, storedMinutes } from '../minute-model.ts'
import type { Flush, Stored } from '../minute-store.ts'
import { MinuteWindows } from '../minute-window.ts'
import { PostgresMinuteStore } from '../postgres-minute-store.ts'
import { Retention, type RetentionConfig } from '../retention.ts'
import { SeriesSlots } from '../series-slots.ts'
import { createHourSealer, type HourSealer, type HourSealerDeps, type SealConfig } from './hour-sealer.ts'

export const hourMs = 3_600_000
/** The hour that tests seal. */
export const hourAtMs = Date.UTC(2027, 0, 15, 9)
export const hour = hourAtMs / hourMs
const wide = { openMinutesMax: 10_000, lateMinutesMax: 10_000, bytesMax: 1 << 30, lateHoldMs: 0 }

export interface Part {
  readonly startMs: number
  /** A row a series, a value a second, null = gap. */
  readonly rows: readonly { readonly name: string; readonly values: readonly (number | null)[] }[]
}

const named = ({ rows }: Part) => rows.map(({ name, values }) => ({ series: { metricId: name, labels: {} }, values }))

/** A process that owns a partition. Everything is closed up to two hours after the hour, unless told otherwise. */
export class SealingOwner {
  readonly #store: PostgresMinuteStore
  readonly #slots = new SeriesSlots()
  readonly #partition: Flush['partition']

  constructor(pool: Pool, partition = 0) {
    this.#store = new PostgresMinuteStore(pool)
    this.#partition = { topic: 'samples', partition }
  }

  async store(part: Part, closedThroughMs = hourAtMs + 3 * hourMs): Promise<Stored> {
    const windows = new MinuteWindows(wide, 0)
    const section = sectionOf('server', { startMs: part.startMs, stepMs: 1_000 }, named(part))
    windows.fold(section, this.#slots.slotsOf(section), { position: 0, trustedMs: 0 })
    const minutes = windows.closeUpTo(Number.MAX_SAFE_INTEGER, 0)
    // As the consumer does it: the partition of an hour may have been dropped since it was last looked for.
    for (let attempt = 0; ; attempt++) {
      const { version } = await this.#store.readProgress(this.#partition)
      const flush = { partition: this.#partition, minutes, resumeAt: 1, closedThroughMs, version }
      try {
        return await this.#store.store(flush, { slots: this.#slots })
      } catch (error) {
        if (attempt > 0 || (error as { code?: string }).code !== '23514') throw error
      }
    }
  }

  dropExpired(retention: Partial<RetentionConfig>, nowMs: number): Promise<string[]> {
    return this.#store.dropExpired(new Retention({ ...keptByDefault, ...retention }), nowMs)
  }
}

export function modelOf(...parts: readonly Part[]): ModelTable {
  const model = new MinuteModel()
  for (const part of parts) model.add('server', { startMs: part.startMs, stepMs: 1_000 }, named(part))
  return model.table()
}

export const ramp = (length: number, from = 0): number[] => Array.from({ length }, (_, index) => (from + index) / 10)

/** An hour of three series and the minutes around it: whole, with gaps, and a constant with a few minutes. */
export const wholeHour: Part = {
  startMs: hourAtMs - 60_000,
  rows: [
    { name: 'a', values: ramp(3_720) },
    { name: 'b', values: ramp(3_720, 7).map((value, second) => (second % 97 < 60 ? value : null)) },
    { name: 'c', values: ramp(3_720).map((_, second) => (second % 900 < 3 ? 42 : null)) },
  ],
}

/** Late samples for the hour: into gaps, over what is there, and of a series that was not there. */
export const lateData: Part = {
  startMs: hourAtMs + 600_000,
  rows: [
    { name: 'b', values: ramp(300, 5_000) },
    { name: 'd', values: ramp(300, 9_000).map((value, second) => (second < 290 ? value : null)) },
    { name: 'a', values: ramp(300, 1).map((value, second) => (second % 60 < 5 ? value : null)) },
  ],
}

const keptByDefault: RetentionConfig = { retentionHours: 48, hourRetentionDays: 400, retentionByMetric: [] }

export const sealConfig: SealConfig = {
  sealAfterMinutes: 60,
  resealAfterMinutes: 15,
  sealEveryMs: 60_000,
  ...keptByDefault,
  sealRowsPerS: Number.POSITIVE_INFINITY,
  // One series a slice.
  sealSliceRowsMax: 70,
}

export interface TestSealer extends HourSealer {
  readonly clock: VirtualClock
  failures(): Promise<Record<string, number>>
  expiredMinutes(): Promise<number>
}

/** Its time is three hours after the hour; it does not wait. */
export function createTestSealer(pool: Pool, overrides: Partial<HourSealerDeps & SealConfig> = {}): TestSealer {
  const clock = new VirtualClock(hourAtMs + 3 * hourMs)
  const registry = createRegistry()
  const deps = { pool, clock, log: silentLog, registry, ...overrides }
  const failures = async () => {
    const metric = registry.getSingleMetric('minutely_aggregator_seal_failures_total')
    const { values } = (await metric?.get()) ?? { values: [] }
    return Object.fromEntries(values.map(({ labels, value }) => [String(labels['reason']), value]))
  }
  const expiredMinutes = async () => {
    const { values } = (await registry.getSingleMetric('minutely_aggregator_expired_minutes_total')?.get()) ?? {
      values: [],
    }
    return values[0]?.value ?? 0
  }
  return Object.assign(createHourSealer({ ...sealConfig, ...overrides }, deps), { clock, failures, expiredMinutes })
}

export async function sealStates(pool: Pool): Promise<Record<number, string>> {
  const { rows } = await pool.query<{ hour: number; state: string; dirty: boolean }>('select * from hour_seal')
  return Object.fromEntries(rows.map(({ hour: at, state, dirty }) => [at - hour, dirty ? `${state}, dirty` : state]))
}

/** Rows of the hour that are hot, -1 when it has no partition. */
export async function hotRows(pool: Pool): Promise<number> {
  const { rows } = await pool.query<{ there: boolean }>(
    "select to_regclass('minute_block_2027011509') is not null as there",
  )
  if (rows[0]?.there !== true) return -1
  const counted = await pool.query<{ n: number }>(
    'select count(*)::integer as n from minute where minute_at >= $1 and minute_at < $2',
    [new Date(hourAtMs), new Date(hourAtMs + hourMs)],
  )
  return counted.rows[0]?.n ?? 0
}

/** Series, hour and values of what the hour tier has, in words. */
export async function storedHours(pool: Pool): Promise<Record<string, string>> {
  const { rows } = await pool.query<{ series_id: number; day: number; block: Buffer }>('select * from day_block')
  const [decoder, columns] = [new DayBlockDecoder(), createHourColumns()]
  const hours: Record<string, string> = {}
  for (const { series_id, day, block } of rows) {
    decoder.decode(block, columns)
    for (const [slot, count] of columns.count.entries()) {
      const values = { count, min: columns.min[slot] ?? 0, max: columns.max[slot] ?? 0, sum: columns.sum[slot] ?? 0 }
      if (count > 0) hours[`${series_id} ${day * 24 + slot - hour}`] = inWords(values)
    }
  }
  return hours
}

/** What the hour tier must have: the minutes of every hour that is sealed and has got nothing since. */
export async function rolledHours(pool: Pool): Promise<Record<string, string>> {
  const states = await sealStates(pool)
  const rolled = new Map<string, HourValues>()
  for (const { seriesId, minute, seenLow, seenHigh, ...values } of await storedMinutes(pool)) {
    const at = Math.floor(minute / 60) - hour
    if (states[at] !== 'sealed') continue
    const key = `${seriesId} ${at}`
    const before = rolled.get(key) ?? { min: 0, max: 0, sum: 0, count: 0 }
    rolled.set(key, before)
    addMinute(before, { ...values, count: popCount(seenLow) + popCount(seenHigh) })
  }
  return Object.fromEntries([...rolled].map(([key, values]) => [key, inWords(values)]))
}

const popCount = (bits: number): number => (bits >>> 0).toString(2).replaceAll('0', '').length
const inWords = ({ count, min, max, sum }: HourValues): string => [count, min, max, sum].join(' ')
