-- What people and their tools note beside the charts: an instant (end_at = start_at) or a half-open range. Kept until deleted.
-- Globs: `*` is any number of characters; null: of every server, of every metric.
create table annotation (
  annotation_id  bigint generated always as identity primary key,
  tenant_id      integer not null references tenant,
  start_at       timestamptz not null,
  end_at         timestamptz not null check (end_at >= start_at),
  text           text not null,
  tags           text[] not null,
  server_glob    text collate "C",
  metric_glob    text collate "C",
  created_at     timestamptz not null default now()
);
create index annotation_by_time on annotation (tenant_id, start_at, annotation_id);

-- The role that writes them, and nothing else: the reader's stays one that can write nothing at all.
do $$
begin
  if not exists (select from pg_roles where rolname = 'minutely_annotate') then
    create role minutely_annotate nologin;
  end if;
  execute format('grant minutely_annotate to %I', current_user);
end
$$;

grant select on annotation to minutely_query;
grant select, insert, delete on annotation to minutely_annotate;
alter table annotation enable row level security;
create policy own_tenant on annotation to minutely_query
  using (tenant_id = current_setting('minutely.tenant_id')::integer);
create policy own_tenant_written on annotation to minutely_annotate
  using (tenant_id = current_setting('minutely.tenant_id')::integer)
  with check (tenant_id = current_setting('minutely.tenant_id')::integer);
