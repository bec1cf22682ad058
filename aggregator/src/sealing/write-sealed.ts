/**
 * Writes sealed series-hours into both tiers at once: the minutes as an hour block, their hour into the series' day block. In one
 * transaction, so that an hour of the day block is always what the hour block says; that one goes first when retention comes, and
 * then the day block has the last word:
 *
 *   hour block   in the day block
 *   there        there              they agree
 *   missing      missing            a series that had nothing in that hour
 *   missing      there              its minutes are past their retention: what comes now is a part of the hour, and is left out
 *   there        missing            sealed before there were day blocks
 */
import type { PoolClient } from '@minutely/lib/postgres/pool'
import { DayBlockDecoder } from '@minutely/schema/day-block/decode-day-block'
import { DayBlockEncoder } from '@minutely/schema/day-block/encode-day-block'
import { createHourColumns, type HourColumns, hoursPerDay } from '@minutely/schema/day-block/hour-columns'
import type { HourValues } from '@minutely/schema/day-block/roll-up-hour'
import { HourBlockError } from '@minutely/schema/hour-block/block-bytes'
import type { Retention } from '../retention.ts'
import { classesOf, type KeptClass } from './retention-classes.ts'
import { SealRefusedError } from './seal-refused.ts'
import { ensurePartitions } from './tier-partitions.ts'
import { dayTable, hourTable, type ReadTierRow, readTierRows, type TierRow, writeTierRows } from './tier-table.ts'

export interface SealedSeries {
  readonly seriesId: number
  readonly tenantId: number
  readonly block: Buffer
  /** Of the block's minutes (schema/src/day-block/roll-up-hour.ts). */
  readonly rolled: Readonly<HourValues>
  /** Minutes that the block has, and how many of them it did not have before. */
  readonly minuteCount: number
  readonly newMinuteCount: number
}

export interface SealedHours {
  /** Hours since 1970. */
  readonly hour: number
  readonly packed: readonly SealedSeries[]
  /** By series id: rows of hour_block that there are of this hour and these series. */
  readonly existing: ReadonlyMap<number, ReadTierRow>
}

export interface TierWriterDeps {
  readonly retention: Retention
  /** syncClasses has given them. */
  readonly classes: readonly KeptClass[]
}

export interface Written {
  /** Series whose block was not written: the hour they have is past the retention of its minutes. */
  readonly leftOut: ReadonlySet<number>
  readonly blocks: number
  readonly bytes: number
  /** Minutes that were left out because the others of their hour are past their retention. */
  readonly expiredMinutes: number
}

/** Makes what an hour needs to be written; to be called in a brief transaction: it locks the tables for whoever reads them. */
export async function ensureTiers(client: PoolClient, hour: number, { classes }: TierWriterDeps): Promise<void> {
  const wanted = classes
    .filter(({ isCurrent }) => isCurrent)
    .flatMap(({ class: number, minuteHours, hourHours }) => [
      { table: hourTable, class: number, hour, keptHours: minuteHours },
      { table: dayTable, class: number, hour, keptHours: hourHours },
    ])
  await ensurePartitions(client, wanted)
}

/** Any constant: first half of the key, the day is the second. Taken after locks of hours, and nothing is waited for behind it. */
const advisoryClass = 7_070_012

/** Made once for many hours. */
export class TierWriter {
  readonly #deps: TierWriterDeps
  readonly #encoder = new DayBlockEncoder()
  readonly #decoder = new DayBlockDecoder()
  readonly #columns = createHourColumns()
  readonly #again = createHourColumns()

  constructor(deps: TierWriterDeps) {
    this.#deps = deps
  }

  /** In the caller's transaction, on the connection of the one that seals. @throws SealRefusedError */
  async write(client: PoolClient, { hour, packed, existing }: SealedHours): Promise<Written> {
    const day = Math.floor(hour / hoursPerDay)
    // A sealer and an importer may have different hours of one day; the day's row has both.
    await client.query(`select pg_advisory_xact_lock(${advisoryClass}, $1)`, [day])
    const seriesIds = packed.map(({ seriesId }) => seriesId)
    const days = await readTierRows(client, { table: dayTable, key: day }, seriesIds)
    const unknown = seriesIds.filter((id) => !existing.has(id) || !days.has(id))
    const classOf = await classesOf(client, unknown, this.#deps)
    const [blocks, dayBlocks]: [TierRow[], TierRow[]] = [[], []]
    const counts = new Map<number, { minutes: number; hours: number }>()
    const leftOut = new Set<number>()
    let expiredMinutes = 0
    for (const { seriesId, tenantId, block, rolled, minuteCount, newMinuteCount } of packed) {
      const [hourRow, dayRow] = [existing.get(seriesId), days.get(seriesId)]
      this.#load(seriesId, dayRow?.block)
      if (hourRow === undefined && (this.#columns.count[hour % hoursPerDay] as number) > 0) {
        expiredMinutes += minuteCount
        leftOut.add(seriesId)
        continue
      }
      const ofClass = hourRow?.class ?? classOf(seriesId)
      blocks.push({ seriesId, tenantId, class: ofClass, block })
      const dayClass = dayRow?.class ?? classOf(seriesId)
      dayBlocks.push({ seriesId, tenantId, class: dayClass, block: this.#encode(seriesId, hour % hoursPerDay, rolled) })
      const count = counts.get(ofClass) ?? { minutes: 0, hours: 0 }
      counts.set(ofClass, {
        minutes: count.minutes + newMinuteCount,
        hours: count.hours + (hourRow === undefined ? 1 : 0),
      })
    }
    await writeTierRows(client, { table: hourTable, key: hour, rows: blocks }, existing)
    await writeTierRows(client, { table: dayTable, key: day, rows: dayBlocks }, days)
    await addCounts(client, hour, counts)
    const bytes = blocks.reduce((sum, { block }) => sum + block.length, 0)
    return { blocks: blocks.length, bytes, expiredMinutes, leftOut }
  }

  #load(seriesId: number, block: Buffer | undefined): void {
    for (const column of Object.values(this.#columns)) column.fill(0)
    if (block === undefined) return
    try {
      this.#decoder.decode(block, this.#columns)
    } catch (error) {
      if (!(error instanceof HourBlockError)) throw error
      throw new SealRefusedError('unreadable', `the day block of series ${seriesId} cannot be read: ${error.message}`, {
        cause: error,
      })
    }
  }

  #encode(seriesId: number, slot: number, { count, min, max, sum }: Readonly<HourValues>): Buffer {
    this.#columns.count[slot] = count
    this.#columns.min[slot] = min
    this.#columns.max[slot] = max
    this.#columns.sum[slot] = sum
    const block = this.#encoder.encode(this.#columns)
    this.#decoder.decode(block, this.#again)
    if (!areEqual(this.#columns, this.#again)) {
      throw new SealRefusedError('compare', `the day of series ${seriesId} is not the same when it is unpacked`)
    }
    return block
  }
}

/** Bit for bit. */
function areEqual(one: HourColumns, other: HourColumns): boolean {
  const bytesOf = ({ buffer }: Uint16Array | Float64Array): Buffer => Buffer.from(buffer)
  return (['count', 'min', 'max', 'sum'] as const).every((name) => bytesOf(one[name]).equals(bytesOf(other[name])))
}

async function addCounts(
  client: PoolClient,
  hour: number,
  counts: ReadonlyMap<number, { minutes: number; hours: number }>,
): Promise<void> {
  const added = [...counts].filter(([, { minutes, hours }]) => minutes > 0 || hours > 0)
  if (added.length === 0) return
  await client.query(
    `insert into sealed_count (hour, class, series_minutes, series_hours)
     select $1, class, minutes, hours
     from unnest($2::smallint[], $3::bigint[], $4::bigint[]) as added (class, minutes, hours)
     on conflict (hour, class) do update set
       series_minutes = sealed_count.series_minutes + excluded.series_minutes,
       series_hours = sealed_count.series_hours + excluded.series_hours`,
    [hour, added.map(([ofClass]) => ofClass), added.map(([, n]) => n.minutes), added.map(([, n]) => n.hours)],
  )
}
