-- The hot tier as blocks: a row for a minute of up to 32 series whose ids are side by side, instead of a row for each series and minute
-- (docs/decisions/0026-minute-blocks.md). Nothing is updated but by late data. Partitions are made by the aggregator, one an hour.
create table minute_block (
  chunk      integer not null,       -- series_id >> 5
  minute_at  timestamptz not null,
  tenant_id  integer not null,
  layout     smallint not null,      -- of the block: schema/src/minute-block/minute-block.ts
  first      smallint not null,      -- series_id & 31 of the first record
  block      bytea not null,         -- a record of 32 bytes for each series from the first to the last
  primary key (chunk, minute_at, tenant_id)
) partition by range (minute_at);
-- At most 1 KiB: never compressed, never apart.
alter table minute_block alter column block set storage plain;

-- What is there moves over, hour by hour. An aggregator of the release before may run still: what it committed behind the hour that is
-- moved would be dropped, and its position has passed it. So it waits, then finds no table, and what replaces it goes on from there.
lock table minute in share row exclusive mode;
do $$
declare hour record;
begin
  for hour in
    select relname, pg_get_expr(relpartbound, pg_class.oid) as bound from pg_inherits join pg_class on pg_class.oid = inhrelid
    where inhparent = 'minute'::regclass order by relname
  loop
    execute format('create table %I partition of minute_block %s with (autovacuum_enabled = off)',
      replace(hour.relname, 'minute_', 'minute_block_'), hour.bound);
    execute format($move$
      insert into minute_block (chunk, minute_at, tenant_id, layout, first, block)
      select chunk, minute_at, tenant_id, 1, min(slot),
        string_agg(case when before is null then record
          else decode(repeat('00', 32 * (slot - before - 1)), 'hex') || record end, ''::bytea order by slot)
      from (
        select series_id >> 5 as chunk, minute_at, tenant_id, series_id & 31 as slot,
          lag(series_id & 31) over (partition by minute_at, tenant_id, series_id >> 5 order by series_id) as before,
          int8send(seen) || float8send(min) || float8send(max) || float8send(sum) as record
        from %I) as numbered
      group by chunk, minute_at, tenant_id$move$, hour.relname);
  end loop;
end
$$;
drop table minute;

-- The words of a record, for people at a prompt. They are read by offset, in bytes.
create function minute_word(block bytea, place integer) returns bigint language sql immutable parallel safe
  return ('x' || encode(substring(block from place + 1 for 8), 'hex'))::bit(64)::bigint;
-- IEEE 754: a finite double is its significand times a power of two, and both products are exact.
create function minute_double(block bytea, place integer) returns double precision language sql immutable parallel safe
  return (select case when bits < 0 then -1 else 1 end
      * ((bits & 4503599627370495) + case when exponent = 0 then 0 else 4503599627370496 end)::double precision
      * power(2::double precision, greatest(exponent, 1) - 1075)
    from (select bits, (bits >> 52 & 2047)::integer as exponent from (select minute_word(block, place) as bits) as word) as parts);

-- The rows that the blocks stand for: to look at, not for services.
create view minute with (security_invoker = true) as
  select chunk * 32 + first + record as series_id, tenant_id, minute_at, minute_word(block, record * 32) as seen,
    minute_double(block, record * 32 + 8) as min, minute_double(block, record * 32 + 16) as max,
    minute_double(block, record * 32 + 24) as sum
  from minute_block cross join lateral generate_series(0, octet_length(block) / 32 - 1) as record
  where layout = 1 and minute_word(block, record * 32) <> 0;

-- Chunks for new series (aggregator/src/series-ids.ts), after those that have any, as far as an id of 31 bits reaches.
create sequence series_chunk as integer maxvalue 67108863;
select setval('series_chunk', coalesce(max(series_id) >> 5, 0) + 1, false) from series;

grant select on minute_block, minute to minutely_query;
alter table minute_block enable row level security;
create policy own_tenant on minute_block to minutely_query
  using (tenant_id = (select current_setting('minutely.tenant_id')::integer));
