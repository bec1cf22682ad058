/**
 * History into hours that are over: straight into blocks, as the sealer writes them, without being rows first. In the caller's
 * transaction, under the hours' exclusive locks (hour-locks.ts), so that neither a flush nor a sealer is in the middle of one:
 *
 *   sealing           a sealer is between its two steps (or died there) and may overwrite blocks: left to the caller, for the hot tier
 *   hot minutes       of a series win over its block, so what is added has to go there: left to the caller, too
 *   anything else     its block is written, or written anew with what it has not seen; the hour counts as sealed from then on
 *
 * The hour is dirty afterwards where there are rows of it: those of other series must be packed before they are dropped. Its row of hour_seal
 * is written anew in any case, so that whoever remembers its blocks asks again.
 */
import { selectMinuteBlocks } from '@minutely/lib/minute-tiers/tier-query'
import type { PoolClient } from '@minutely/lib/postgres/pool'
import type { MinuteColumns } from '@minutely/schema/hour-block/minute-columns'
import { minutesOfBlock } from '../minute-chunks.ts'
import { listMinutePartitions } from '../minute-partitions.ts'
import { holdHours, hourMs, hourOf } from './hour-locks.ts'
import type { SlicePacker } from './pack-slice.ts'
import { hourTable, type ReadTierRow, readTierRows } from './tier-table.ts'
import type { SealedSeries, TierWriter } from './write-sealed.ts'

export interface HistorySeries {
  readonly seriesId: number
  readonly tenantId: number
  /** Of seconds. */
  readonly count: number
  /** Adds what the minutes have not seen. @returns how many seconds that was. */
  layOn(columns: MinuteColumns): number
  /** What is to be written if there is nothing of it yet, packed before the locks are taken. */
  readonly fresh: SealedSeries | undefined
}

export interface HistoryHour<S extends HistorySeries> {
  /** Hours since 1970. */
  readonly hour: number
  readonly series: readonly S[]
}

export interface WrittenHistory<S extends HistorySeries> {
  /** Seconds that were new. */
  readonly added: number
  /** Of hours that the hour tier has, and of which retention has dropped the minutes: left out. */
  readonly expired: number
  readonly left: readonly HistoryHour<S>[]
}

/** `hours`: ascending, of one day; ensureTiers has made room for them. */
export async function writeHistory<S extends HistorySeries>(
  client: PoolClient,
  hours: readonly HistoryHour<S>[],
  { packer, writer }: { readonly packer: SlicePacker; readonly writer: TierWriter },
): Promise<WrittenHistory<S>> {
  if (hours.length === 0) return { added: 0, expired: 0, left: [] }
  const numbers = hours.map(({ hour }) => hour)
  await holdHours(client, numbers)
  const states = await readStates(client, numbers)
  const partitions = new Set((await listMinutePartitions(client)).map(hourOf))
  const left: HistoryHour<S>[] = []
  const written: { hour: number; hasRows: boolean }[] = []
  let [added, expired] = [0, 0]
  for (const { hour, series } of hours) {
    const isSealing = states.get(hour) === 'sealing'
    const withRows = isSealing || !partitions.has(hour) ? new Set<number>() : await readHotSeries(client, hour, series)
    const inRows = series.filter(({ seriesId }) => isSealing || withRows.has(seriesId))
    if (inRows.length > 0) left.push({ hour, series: inRows })
    if (inRows.length === series.length) continue
    const inBlocks = series.filter(({ seriesId }) => !isSealing && !withRows.has(seriesId))
    const ids = inBlocks.map(({ seriesId }) => seriesId)
    const existing = states.has(hour)
      ? await readTierRows(client, { table: hourTable, key: hour }, ids)
      : new Map<number, ReadTierRow>()
    const result = packAll(inBlocks, existing, packer)
    if (result.packed.length === 0) continue
    const { leftOut } = await writer.write(client, { hour, packed: result.packed, existing })
    for (const [seriesId, count] of result.added) {
      if (leftOut.has(seriesId)) expired += count
      else added += count
    }
    written.push({ hour, hasRows: partitions.has(hour) })
  }
  await markSealed(client, written)
  return { added, expired, left }
}

function packAll(
  series: readonly HistorySeries[],
  existing: ReadonlyMap<number, ReadTierRow>,
  packer: SlicePacker,
): { packed: SealedSeries[]; added: ReadonlyMap<number, number> } {
  const packed: SealedSeries[] = []
  const added = new Map<number, number>()
  for (const one of series) {
    const before = existing.get(one.seriesId)?.block
    if (before === undefined && one.fresh !== undefined) {
      packed.push(one.fresh)
      added.set(one.seriesId, one.count)
      continue
    }
    let more = 0
    const changed = packer.packOver(one, before, (columns) => {
      more = one.layOn(columns)
      return more > 0
    })
    added.set(one.seriesId, more)
    if (changed !== undefined) packed.push(changed)
  }
  return { packed, added }
}

async function readStates(client: PoolClient, hours: readonly number[]): Promise<Map<number, string>> {
  const { rows } = await client.query<{ hour: number; state: string }>(
    'select hour, state from hour_seal where hour = any ($1::integer[])',
    [hours],
  )
  return new Map(rows.map(({ hour, state }) => [hour, state]))
}

/** Those of which the hour has hot minutes. */
async function readHotSeries(
  client: PoolClient,
  hour: number,
  series: readonly HistorySeries[],
): Promise<ReadonlySet<number>> {
  const seriesIds = series.map(({ seriesId }) => seriesId)
  const { rows } = await client.query<{ place: number; block: Buffer | null }>(
    selectMinuteBlocks({ fromMs: hour * hourMs, toMs: (hour + 1) * hourMs, seriesIds }),
  )
  const hot = new Set<number>()
  for (const { place, block } of rows) {
    // What cannot be read may have any of them.
    if (block === null) return new Set(seriesIds)
    for (const slot of minutesOfBlock({ first: 0, bytes: block }).keys()) hot.add(place + slot)
  }
  return hot
}

/** Never tried before: an hour that has rows is packed as soon as its turn comes. */
async function markSealed(
  client: PoolClient,
  written: readonly { readonly hour: number; readonly hasRows: boolean }[],
): Promise<void> {
  if (written.length === 0) return
  await client.query(
    `insert into hour_seal (hour, state, dirty, tried_at, rolled)
     select hour, 'sealed', has_rows, to_timestamp(0), true
     from unnest($1::integer[], $2::boolean[]) as written (hour, has_rows) order by hour
     on conflict (hour) do update set dirty = hour_seal.dirty or excluded.dirty`,
    [written.map(({ hour }) => hour), written.map(({ hasRows }) => hasRows)],
  )
}
