-- Which ring in Redis may be read: one row. A ring is named by its epoch and the run id of the Redis that holds it; run_id
-- null: there is none. Every change makes a new epoch, larger than any before, also than those a restored database has
-- forgotten (microseconds since 1970). lib/src/recent-ring/ring-state.ts says who changes it and when.

create table ring_state (
  only_row    boolean primary key default true check (only_row),
  epoch       bigint not null,
  run_id      text,
  changed_at  timestamptz not null default now(),
  reason      text not null
);
insert into ring_state (epoch, reason) values (1, 'nothing was pushed yet');

grant select on ring_state to minutely_query;
