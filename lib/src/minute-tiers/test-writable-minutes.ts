/** For tests: lets the view `minute` be written row by row, which no service does. A row that exists already is a unique violation. */
import { minuteBlockLayout, recordBytes, seriesPerChunk } from '@minutely/schema/minute-block/minute-block'
import type { Pool } from '../postgres/pool.ts'

/** Once a database. */
export async function makeMinutesWritable(pool: Pool): Promise<void> {
  await pool.query(`
    create function write_minute_row() returns trigger language plpgsql as $$
    declare
      target record := case when tg_op = 'DELETE' then old else new end;
      slot integer := target.series_id & ${seriesPerChunk - 1};
      record bytea := decode(repeat('00', ${recordBytes}), 'hex');
      present minute_block;
    begin
      if tg_op = 'UPDATE' and (old.series_id, old.minute_at) <> (new.series_id, new.minute_at) then
        delete from minute where series_id = old.series_id and minute_at = old.minute_at;
      end if;
      if tg_op <> 'DELETE' then
        record := int8send(new.seen) || float8send(new.min) || float8send(new.max) || float8send(new.sum);
      end if;
      select * into present from minute_block
        where chunk = target.series_id / ${seriesPerChunk} and minute_at = target.minute_at and tenant_id = target.tenant_id;
      if present.chunk is null then
        insert into minute_block values (target.series_id / ${seriesPerChunk}, target.minute_at, target.tenant_id, ${minuteBlockLayout}, slot, record);
        return target;
      end if;
      if tg_op = 'INSERT' and exists (select from minute where series_id = new.series_id and minute_at = new.minute_at) then
        raise unique_violation;
      end if;
      while slot < present.first loop
        present.first := present.first - 1;
        present.block := decode(repeat('00', ${recordBytes}), 'hex') || present.block;
      end loop;
      while octet_length(present.block) < (slot - present.first + 1) * ${recordBytes} loop
        present.block := present.block || decode(repeat('00', ${recordBytes}), 'hex');
      end loop;
      update minute_block set first = present.first,
          block = overlay(present.block placing record from (slot - present.first) * ${recordBytes} + 1)
        where chunk = present.chunk and minute_at = present.minute_at and tenant_id = present.tenant_id;
      return target;
    end
    $$;
    create trigger write_minute_row instead of insert or update or delete on minute
      for each row execute function write_minute_row()`)
}
