/** For histories that are made in SQL: rows as blocks, in one statement, as migration 0012 moved what there was. */
import { chunkBits, minuteBlockLayout, recordBytes, seriesPerChunk } from '@minutely/schema/minute-block/minute-block'

/** `rows`: a query for (series_id, tenant_id, minute_at, seen, min, max, sum), of minutes of which there is no block yet. */
export function insertPacked(rows: string): string {
  const zeros = `decode(repeat('00', ${recordBytes} * (slot - before - 1)), 'hex')`
  return `insert into minute_block (chunk, minute_at, tenant_id, layout, first, block)
    select chunk, minute_at, tenant_id, ${minuteBlockLayout}, min(slot),
      string_agg(case when before is null then record else ${zeros} || record end, ''::bytea order by slot)
    from (
      select series_id >> ${chunkBits} as chunk, minute_at, tenant_id, series_id & ${seriesPerChunk - 1} as slot,
        lag(series_id & ${seriesPerChunk - 1}) over (
          partition by minute_at, tenant_id, series_id >> ${chunkBits} order by series_id) as before,
        int8send(seen) || float8send(min) || float8send(max) || float8send(sum) as record
      from (${rows}) as minutes) as numbered
    group by chunk, minute_at, tenant_id`
}
