/**
 * What is stored, tier by tier, how it grows and where it will settle: `GET /v1/storage`, and the same as metrics. Growth is that of the last
 * sealed hours, 24 at most, at the bytes that a series-minute has taken so far; the first hour ever is left out, it was a part of one.
 */
import type { Clock } from '@minutely/lib/clock'
import type { StorageAnswer, StorageTier } from '@minutely/schema/query-wire'
import { fullAtMs, type Growth, settledBytesOf, settlesInDays } from './storage-forecast.ts'
import { readStorageSizes, type StorageSizes, type StoredPartition } from './storage-sizes.ts'
import type { StoreSession } from './store-session.ts'

export interface DiskSpace {
  readonly freeBytes: number
  /** Below it samples are refused. */
  readonly reserveBytes: number
}

export interface StorageDeps {
  readonly clock: Clock
  /** Of the volume the database is on; absent where this process cannot see it. */
  readonly diskSpace?: () => Promise<DiskSpace>
}

const hourMs = 3_600_000
const dayMs = 24 * hourMs
const hoursPerDay = 24
/** 7 rows of 32 series each to a page of 8 KiB: what is not a full chunk takes more, so that there are fewer minutes than this says. */
const hotMinuteBytes = 8_192 / (7 * 32)
/** Sizes change slowly, and everybody who opens the dashboard asks. */
const answerAgeMsMax = 10_000

/** The last answer is kept for a few seconds. */
export class StorageReader {
  readonly #deps: StorageDeps
  #last: StorageAnswer | undefined

  constructor(deps: StorageDeps) {
    this.#deps = deps
  }

  async read(session: Pick<StoreSession, 'client'>): Promise<StorageAnswer> {
    const { clock, diskSpace } = this.#deps
    const ageMs = clock.nowMs() - (this.#last?.nowMs ?? 0)
    if (this.#last !== undefined && ageMs >= 0 && ageMs < answerAgeMsMax) return this.#last
    const sizes = await readStorageSizes(session.client)
    // A disk that cannot be asked is not known.
    const space = await diskSpace?.().catch(() => undefined)
    this.#last = storageOf(sizes, space, clock.nowMs())
    return this.#last
  }
}

/** Pure. */
export function storageOf(sizes: StorageSizes, space: DiskSpace | undefined, nowMs: number): StorageAnswer {
  const sealed = growthsOf(sizes, 'hour_block')
  const rolled = growthsOf(sizes, 'day_block')
  const growths = [...sealed.growths, ...rolled.growths]
  const isKnown = sealed.hours > 0
  const tiers = [
    { ...plainTier(sizes, 'minute_block'), ...perMinute(sizes, 'minute_block') },
    {
      ...plainTier(sizes, 'hour_block'),
      ...perMinute(sizes, 'hour_block'),
      ...settling(sealed.growths, isKnown, nowMs),
    },
    { ...plainTier(sizes, 'day_block'), ...perMinute(sizes, 'day_block'), ...settling(rolled.growths, isKnown, nowMs) },
    plainTier(sizes, 'log_record'),
  ]
  const listedBytes = tiers.reduce((sum, { storedBytes }) => sum + storedBytes, 0)
  const rest = { ...unknown, tier: 'rest' as const, storedBytes: Math.max(0, sizes.databaseBytes - listedBytes) }
  const { settledBytes, settledAtMs } = settling(growths, isKnown, nowMs)
  const growingBytes = growths.reduce((sum, { storedBytes }) => sum + storedBytes, 0)
  return {
    nowMs,
    tiers: [...tiers, rest],
    storedBytes: sizes.databaseBytes,
    settledBytes: settledBytes === null ? null : Math.round(sizes.databaseBytes - growingBytes + settledBytes),
    settledAtMs,
    measuredHours: sealed.hours,
    disk:
      space === undefined
        ? null
        : { ...space, fullAtMs: fullAtMs(growths, space.freeBytes - space.reserveBytes, nowMs) },
  }
}

const unknown = {
  oldestMs: null,
  seriesMinutes: null,
  bytesPerSeriesMinute: null,
  perDayBytes: null,
  settledBytes: null,
  settledAtMs: null,
}

const tierNames = {
  minute_block: 'minutes',
  hour_block: 'sealed-minutes',
  day_block: 'hours',
  log_record: 'log',
} as const

const bytesOf = (partitions: readonly StoredPartition[]): number =>
  partitions.reduce((sum, { bytes }) => sum + bytes, 0)

function plainTier({ partitions }: StorageSizes, table: StoredPartition['table']): StorageTier {
  const ofTier = partitions.filter((one) => one.table === table)
  return { ...unknown, tier: tierNames[table], storedBytes: bytesOf(ofTier) }
}

function perMinute(sizes: StorageSizes, table: StoredPartition['table']) {
  const ofTier = sizes.partitions.filter((one) => one.table === table)
  const bytes = bytesOf(ofTier)
  const seriesMinutes = seriesMinutesOf(sizes, table)
  const partitionHour = Math.min(...ofTier.map(({ fromHour }) => fromHour ?? Number.POSITIVE_INFINITY))
  // A partition may begin before anything was stored.
  const oldestHour =
    table === 'minute_block' ? partitionHour : Math.max(partitionHour, sizes.firstHour ?? partitionHour)
  return {
    oldestMs: Number.isFinite(oldestHour) ? oldestHour * hourMs : null,
    seriesMinutes,
    bytesPerSeriesMinute: seriesMinutes === 0 ? null : Math.round((bytes / seriesMinutes) * 1_000) / 1_000,
  }
}

function seriesMinutesOf({ partitions, totals }: StorageSizes, table: StoredPartition['table']): number {
  if (table === 'minute_block') {
    const rowBytes = partitions.filter((one) => one.table === table).reduce((sum, one) => sum + one.rowBytes, 0)
    return Math.round(rowBytes / hotMinuteBytes)
  }
  const count = (one: (typeof totals)[number]): number =>
    table === 'hour_block' ? one.seriesMinutes : one.seriesHours * 60
  return totals.reduce((sum, one) => sum + count(one), 0)
}

/** One for each class of retention that has grown or holds something. */
function growthsOf(sizes: StorageSizes, table: 'hour_block' | 'day_block'): { growths: Growth[]; hours: number } {
  const { partitions, lately, firstHour = 0, classes } = sizes
  const ofTier = partitions.filter((one) => one.table === table)
  const seriesMinutes = seriesMinutesOf(sizes, table)
  const hours = [...new Set(lately.map(({ hour }) => hour))]
  const measuredFrom = hours.length > 1 ? Math.max(firstHour + 1, Math.min(...hours)) : Math.min(...hours)
  const measuredHours = hours.length === 0 ? 0 : Math.max(...hours) + 1 - measuredFrom
  if (measuredHours === 0 || seriesMinutes === 0) return { growths: [], hours: 0 }
  const bytesPerMinute = bytesOf(ofTier) / seriesMinutes
  const growths = classes.map((kept) => {
    const own = ofTier.filter((one) => one.class === kept.class)
    const added = lately
      .filter((one) => one.class === kept.class && one.hour >= measuredFrom)
      .reduce((sum, one) => sum + (table === 'hour_block' ? one.seriesMinutes : one.seriesHours * 60), 0)
    const keptHours = table === 'hour_block' ? kept.minuteHours : kept.hourHours
    const spanHours = Math.max(0, ...own.map(({ fromHour = 0, toHour = 0 }) => toHour - fromHour))
    return {
      storedBytes: bytesOf(own),
      perDayBytes: (added / measuredHours) * hoursPerDay * bytesPerMinute,
      keptDays: (keptHours + spanHours) / hoursPerDay,
    }
  })
  return { growths, hours: measuredHours }
}

function settling(
  growths: readonly Growth[],
  isKnown: boolean,
  nowMs: number,
): Pick<StorageTier, 'perDayBytes' | 'settledBytes' | 'settledAtMs'> {
  if (!isKnown) return { perDayBytes: null, settledBytes: null, settledAtMs: null }
  const sum = (of: (growth: Growth) => number): number => Math.round(growths.reduce((total, one) => total + of(one), 0))
  return {
    perDayBytes: sum(({ perDayBytes }) => perDayBytes),
    settledBytes: sum(settledBytesOf),
    settledAtMs: Math.round(nowMs + Math.max(0, ...growths.map(settlesInDays)) * dayMs),
  }
}
