-- How often in a row a partition was begun by an owner that neither ended in order nor read the log to its end. Above a few,
-- a record of it may be what ends them (aggregator/src/crash-guard.ts). Nothing is lost with this table but time.
create table partition_run (
  topic       text not null,
  partition   integer not null,
  unfinished  integer not null,      -- the one that runs now included
  begun_at    timestamptz not null default now(),
  primary key (topic, partition)
);
