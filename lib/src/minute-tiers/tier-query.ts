/**
 * The stored minutes of both tiers as one statement: rows of `minute` (hot) and blocks of `hour_block` (sealed), in the order of series and
 * time, a block just before its hour. tier-decoder.ts reads its COPY.
 *
 * What makes it right: a hot row is the whole state of its minute and contains what the block has of it, so the hot row wins and
 * nothing is added across tiers; and every minute is in one of the tiers *of one snapshot*:
 *
 *   sealing    write blocks ── commit ── ... ── lock `minute` exclusively, drop the hour's rows, commit
 *   reading    lock `minute` shared ── snapshot ── read both tiers
 *
 * Rows that were dropped before our lock have blocks that were committed before our snapshot; others cannot be dropped
 * before we are done. COPY alone would take its snapshot before its locks: hence lockTiers, in the same transaction (of
 * READ COMMITTED; a snapshot that is older than the lock would miss the blocks).
 */

/** To be sent before the COPY, in its transaction or in the same query string. */
export const lockTiers = 'lock table only minute in access share mode'

export interface TierSpan {
  readonly fromMs: number
  /** Half-open. Blocks may reach beyond both ends. */
  readonly toMs: number
  /** All that there are, if it is not given. */
  readonly seriesIds?: readonly number[]
}

const hourMs = 3_600_000
const dayMs = 24 * hourMs
/** End of the year 9999. Postgres reads no year of five digits, and there are no minutes there. */
const instantMaxMs = 253_402_300_799_999
const keyMax = 2_147_483_647
const key = (value: number): number => Math.min(value, keyMax)

/** COPY takes no parameters: ids and instants are written into it, as the numbers they are. */
export function selectTiers(span: TierSpan): string {
  const { fromMs, toMs } = span
  const instant = (ms: number): string => `'${new Date(Math.min(ms, instantMaxMs)).toISOString()}'::timestamptz`
  return (
    'select series_id, minute_at, seen, min, max, sum, null::bytea as block from minute ' +
    `where minute_at >= ${instant(fromMs)} and minute_at < ${instant(toMs)}${ofSeries(span)} ` +
    // A second before its hour, so that it comes before the hot rows.
    'union all select series_id, to_timestamp(hour * 3600.0 - 1), null, null, null, null, block from hour_block ' +
    `where hour >= ${key(Math.floor(fromMs / hourMs))} and hour < ${key(Math.ceil(toMs / hourMs))}${ofSeries(span)}`
  )
}

function ofSeries({ seriesIds }: TierSpan): string {
  if (seriesIds === undefined) return ''
  if (!seriesIds.every(Number.isInteger)) throw new Error('BUG: a series id that is no integer')
  return ` and series_id = any('{${seriesIds.join()}}')`
}

/**
 * Hours instead of minutes where they can be: day blocks, and minutes only of hours that have, or may have, rows beside their blocks. In one
 * snapshot: a flush that adds a row to a sealed hour makes that hour dirty in the same transaction, so an hour that is sealed and not
 * dirty has no rows. What hour-merge.ts reads; a day block comes two seconds before its day.
 */
export function copyHours(span: TierSpan): string {
  const unsettled = "select hour from hour_seal where state <> 'sealed' or dirty or not rolled"
  return (
    `copy (${selectTiers(span)} and hour = any(array(${unsettled})) ` +
    'union all select series_id, to_timestamp(day * 86400.0 - 2), null, null, null, null, block from day_block ' +
    `where day >= ${key(Math.floor(span.fromMs / dayMs))} and day < ${key(Math.ceil(span.toMs / dayMs))}${ofSeries(span)} ` +
    'order by series_id, minute_at) to stdout (format binary)'
  )
}

/** What TierDecoder reads. */
export function copyTiers(span: TierSpan): string {
  return `copy (${selectTiers(span)} order by series_id, minute_at) to stdout (format binary)`
}

/** The same with a column more, the tag: the first 32 bits of the series' identity. */
export function copyTaggedTiers(span: TierSpan): string {
  return (
    // `offset 0`: the tag is made once a series, not once a row.
    `copy (select tiers.*, tag from (${selectTiers(span)}) as tiers join (
       select series_id, ('x' || left(identity::text, 8))::bit(32)::integer as tag
       from series order by series_id offset 0) as tagged using (series_id)
     order by series_id, minute_at) to stdout (format binary)`
  )
}
