-- Hours that are over, packed: a block for each series and hour (docs/formats.md, "Hour block"). Beside them stay the rows of `minute`,
-- the hot tier, and what they say wins: docs/decisions/0018-sealed-hours.md. Partitions are made by the aggregator, one a day.
create table hour_block (
  series_id  integer not null,
  hour       integer not null,         -- hours since 1970
  tenant_id  integer not null,
  block      bytea not null,
  primary key (series_id, hour)
) partition by range (hour);
-- Nothing is left to compress.
alter table hour_block alter column block set storage external;

-- No row: all of the hour is in `minute`, and none of it in hour_block. Rows are written under the hour's advisory lock
-- (aggregator/src/sealing/hour-locks.ts).
create table hour_seal (
  hour      integer primary key,
  state     text not null check (state in ('sealing', 'sealed')),
  dirty     boolean not null default false,      -- `minute` got rows of it after the last sealing began
  tried_at  timestamptz not null                 -- when the last sealing began
);

grant select on hour_block, hour_seal to minutely_query;
alter table hour_block enable row level security;
create policy own_tenant on hour_block to minutely_query
  using (tenant_id = current_setting('minutely.tenant_id')::integer);
