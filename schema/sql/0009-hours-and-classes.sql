-- Classes of metrics with a retention of their own (MINUTELY_RETENTION_BY_METRIC). Class 0 is all the rest. A class keeps its number; what was
-- sealed while a pattern was in the setting stays in that class's partitions. Written by the aggregator that seals; read by whoever
-- wants to know how long things are kept (docs/decisions/0019-tiers.md).
create table retention_class (
  class         smallint primary key,
  pattern       text not null unique,
  minute_hours  integer not null,          -- how long minutes are kept
  hour_hours    integer not null,          -- how long hours are kept
  is_current    boolean not null           -- stands in the setting: new series-hours may go there
);
insert into retention_class values (0, '*', 48, 9600, true);

-- hour_block by class, then by day. What there was becomes class 0, in the partitions that it has.
alter table hour_block rename to hour_block_c0;
alter table hour_block_c0 add column class smallint not null default 0;
create table hour_block (
  series_id  integer not null,
  hour       integer not null,         -- hours since 1970
  tenant_id  integer not null,
  block      bytea not null,
  class      smallint not null
) partition by list (class);
-- Nothing is left to compress.
alter table hour_block alter column block set storage external;
alter table hour_block attach partition hour_block_c0 for values in (0);

-- The hour tier: a row a series and day with its hours packed (docs/formats.md, "Day block"), by class, then by days. Each hour is
-- written in the transaction of its hour block, and stays when that is dropped.
create table day_block (
  series_id  integer not null,
  day        integer not null,         -- days since 1970
  tenant_id  integer not null,
  block      bytea not null,
  class      smallint not null
) partition by list (class);
alter table day_block alter column block set storage external;
create table day_block_c0 partition of day_block (primary key (series_id, day)) for values in (0) partition by range (day);

-- Whether all of an hour's blocks have their hour in day_block: not those that were sealed before there was one.
alter table hour_seal add column rolled boolean not null default false;

-- What was sealed of an hour, by class, for the sizes that people are told; nothing relies on it.
create table sealed_count (
  hour            integer not null,
  class           smallint not null,
  series_minutes  bigint not null,
  series_hours    bigint not null,
  primary key (hour, class)
);

grant select on retention_class, hour_block, day_block, sealed_count to minutely_query;
alter table hour_block enable row level security;
alter table day_block enable row level security;
create policy own_tenant on hour_block to minutely_query
  using (tenant_id = current_setting('minutely.tenant_id')::integer);
create policy own_tenant on day_block to minutely_query
  using (tenant_id = current_setting('minutely.tenant_id')::integer);
