-- The dictionary of series and their minutes. Instants are timestamptz in UTC; intervals are half-open.
-- tenant_id stands in every table and row-level security isolates the query role by it.

create table tenant (
  tenant_id   integer generated always as identity primary key,
  name        text not null unique,
  created_at  timestamptz not null default now()
);

create table server (
  tenant_id      integer not null references tenant,
  server_id      text collate "C" not null,
  first_seen_at  timestamptz not null,
  last_seen_at   timestamptz not null,
  primary key (tenant_id, server_id)
);

create table series (
  series_id      integer generated always as identity primary key,
  tenant_id      integer not null references tenant,
  identity       uuid not null unique,          -- schema/src/series-identity.ts
  server_id      text collate "C" not null,
  metric_id      text collate "C" not null,
  labels         jsonb not null,
  first_seen_at  timestamptz not null
);
create index series_by_server on series (tenant_id, server_id, metric_id);
create index series_by_metric on series (tenant_id, metric_id, server_id);

-- One row per series and minute that has at least one sample. Partitions are made by the aggregator, one an hour.
-- seen: bit s is set when second s of the minute has a sample. count = bit_count(seen), avg = sum / count.
create table minute (
  series_id  integer not null,
  tenant_id  integer not null,
  minute_at  timestamptz not null,
  seen       bigint not null,
  min        double precision not null,
  max        double precision not null,
  sum        double precision not null,
  primary key (series_id, minute_at)
) partition by range (minute_at);

-- What each aggregator partition has stored: position is the first record that an open minute may still need,
-- complete_through_at the instant up to which every minute is closed. Written in the transaction of the minutes.
create table partition_progress (
  topic                text not null,
  partition            integer not null,
  position             bigint not null,
  complete_through_at  timestamptz not null,
  updated_at           timestamptz not null default now(),
  primary key (topic, partition)
);

-- The role that answers queries: reads only, and only rows of the tenant its connection was opened for.
do $$
begin
  if not exists (select from pg_roles where rolname = 'minutely_query') then
    create role minutely_query nologin;
  end if;
  execute format('grant minutely_query to %I', current_user);
end
$$;

grant select on tenant, server, series, minute, partition_progress to minutely_query;
alter table server enable row level security;
alter table series enable row level security;
alter table minute enable row level security;
create policy own_tenant on server to minutely_query
  using (tenant_id = current_setting('minutely.tenant_id')::integer);
create policy own_tenant on series to minutely_query
  using (tenant_id = current_setting('minutely.tenant_id')::integer);
create policy own_tenant on minute to minutely_query
  using (tenant_id = current_setting('minutely.tenant_id')::integer);

insert into tenant (name) values ('default');
