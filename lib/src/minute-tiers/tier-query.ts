/**
 * The stored minutes of both tiers as one statement: `minute_block` (hot: a minute of up to 32 series) and `hour_block` (sealed: an hour of one),
 * chunk by chunk of series, in each in the order of time, an hour block just before its hour. tier-decoder.ts reads its COPY.
 *
 * What makes it right: a hot record is the whole state of its minute and contains what the hour block has of it, so the hot one wins and
 * nothing is added across tiers; and every minute is in one of the tiers *of one snapshot*:
 *
 *   sealing    write hour blocks ── commit ── ... ── lock `minute_block` exclusively, drop the hour's part of it, commit
 *   reading    lock `minute_block` shared ── snapshot ── read both tiers
 *
 * What was dropped before our lock has hour blocks that were committed before our snapshot; nothing else can be dropped
 * before we are done. COPY alone would take its snapshot before its locks: hence lockTiers, in the same transaction (of
 * READ COMMITTED; a snapshot that is older than the lock would miss the hour blocks).
 */
import {
  chunkBits,
  chunkOf,
  minuteBlockLayout,
  recordBytes,
  seenBytes,
  seriesPerChunk,
  slotOf,
} from '@minutely/schema/minute-block/minute-block'

/** To be sent before the COPY, in its transaction or in the same query string. */
export const lockTiers = 'lock table only minute_block in access share mode'

export interface TierSpan {
  readonly fromMs: number
  /** Half-open. Hour blocks may reach beyond both ends. */
  readonly toMs: number
  /**
   * All that there are, if it is not given. Minute blocks may come with others of their chunk: TierMerge is told the same ids and
   * leaves them out.
   */
  readonly seriesIds?: readonly number[]
}

const hourMs = 3_600_000
const dayMs = 24 * hourMs
/** End of the year 9999. Postgres reads no year of five digits, and there are no minutes there. */
const instantMaxMs = 253_402_300_799_999
const keyMax = 2_147_483_647
const key = (value: number): number => Math.min(value, keyMax)

/** What tuples are sorted by: (place, at, block), place being the first series. */
export const tierOrder = `place >> ${chunkBits}, at, place`

/**
 * COPY takes no parameters: ids and instants are written into it, as the numbers they are. A minute block of another layout comes
 * with null.
 */
export function selectTiers(span: TierSpan): string {
  const { fromMs, toMs } = span
  return (
    `${selectMinuteBlocks(span)} ` +
    // A second before its hour, so that it comes before the hot ones.
    'union all select series_id, to_timestamp(hour * 3600.0 - 1), block from hour_block ' +
    `where hour >= ${key(Math.floor(fromMs / hourMs))} and hour < ${key(Math.ceil(toMs / hourMs))}${ofSeries(span)}`
  )
}

/** Of each block only the records from the first to the last series that is asked for. */
export function selectMinuteBlocks({ fromMs, toMs, seriesIds }: TierSpan): string {
  const instant = (ms: number): string => `'${new Date(Math.min(ms, instantMaxMs)).toISOString()}'::timestamptz`
  const within = `minute_at >= ${instant(fromMs)} and minute_at < ${instant(toMs)}`
  const readable = (block: string): string => `case when layout = ${minuteBlockLayout} then ${block} end as block`
  if (seriesIds === undefined) {
    return `select (chunk << ${chunkBits}) + first as place, minute_at as at, ${readable('block')} from minute_block where ${within}`
  }
  const { chunks, lowest, highest } = slotsOf(seriesIds)
  const from = 'greatest(first, lowest)'
  const part = `substring(block from (${from} - first) * ${recordBytes} + 1 for (highest - ${from} + 1) * ${recordBytes})`
  return (
    `select (chunk << ${chunkBits}) + ${from} as place, minute_at as at, ${readable(part)} ` +
    `from unnest('{${chunks.join()}}'::integer[], '{${lowest.join()}}'::integer[], '{${highest.join()}}'::integer[]) ` +
    `as wanted (chunk, lowest, highest) join minute_block using (chunk) where ${within} and first <= highest`
  )
}

/** Condition: the row of minute_block has this series (an SQL expression). Cheap where it has not: the chunk is looked up, not the bytes. */
export function hasSeries(seriesId: string): string {
  const place = `((${seriesId} & ${seriesPerChunk - 1}) - first) * ${recordBytes}`
  const empty = `'\\x${'00'.repeat(seenBytes)}'`
  return (
    `minute_block.chunk = ${seriesId} >> ${chunkBits} and case when ${place} >= 0 and layout = ${minuteBlockLayout} ` +
    `then substring(block from ${place} + 1 for ${seenBytes}) not in ('', ${empty}) else false end`
  )
}

/** By chunk: the first and the last slot. */
function slotsOf(seriesIds: readonly number[]) {
  if (!seriesIds.every(Number.isInteger)) throw new Error('BUG: a series id that is no integer')
  const lowestOf = new Map<number, number>()
  const highestOf = new Map<number, number>()
  for (const id of seriesIds) {
    const [chunk, slot] = [chunkOf(id), slotOf(id)]
    lowestOf.set(chunk, Math.min(slot, lowestOf.get(chunk) ?? slot))
    highestOf.set(chunk, Math.max(slot, highestOf.get(chunk) ?? slot))
  }
  return { chunks: [...lowestOf.keys()], lowest: [...lowestOf.values()], highest: [...highestOf.values()] }
}

function ofSeries({ seriesIds }: TierSpan): string {
  return seriesIds === undefined ? '' : ` and series_id = any('{${seriesIds.join()}}')`
}

/**
 * Hours instead of minutes where they can be: day blocks, and minutes only of hours that have, or may have, hot minutes beside their blocks.
 * In one snapshot: a flush that adds a minute to a sealed hour makes that hour dirty in the same transaction, so an hour that is sealed
 * and not dirty has no hot ones. What hour-merge.ts reads; a day block comes two seconds before its day.
 */
export function copyHours(span: TierSpan): string {
  const unsettled = "select hour from hour_seal where state <> 'sealed' or dirty or not rolled"
  return (
    `copy (select * from (${selectTiers(span)} and hour = any(array(${unsettled})) ` +
    'union all select series_id, to_timestamp(day * 86400.0 - 2), block from day_block ' +
    `where day >= ${key(Math.floor(span.fromMs / dayMs))} and day < ${key(Math.ceil(span.toMs / dayMs))}${ofSeries(span)}) as tiers ` +
    `order by ${tierOrder}) to stdout (format binary)`
  )
}

/** What TierDecoder reads. */
export function copyTiers(span: TierSpan): string {
  return `copy (select * from (${selectTiers(span)}) as tiers order by ${tierOrder}) to stdout (format binary)`
}

/** The same with the tag of each series before its chunk: the first 32 bits of its identity. */
export function copyTaggedTiers(span: TierSpan): string {
  return (
    `copy (select * from (${selectTiers(span)} ` +
    "union all select series_id, '-infinity'::timestamptz, substring(uuid_send(identity) from 1 for 4) from series) as tiers " +
    `order by ${tierOrder}) to stdout (format binary)`
  )
}
