-- The sample log of the embedded form (lib/src/sample-log/postgres-sample-log.ts).

-- Its row lock orders appends: whoever holds it assigns the next positions, so positions become visible in order.
create table log_partition (
  partition            integer primary key,
  next_position        bigint not null default 0,
  last_appended_at_ms  bigint not null default 0
);

-- Records, in segments by append time so that retention drops tables and never deletes rows.
create table log_record (
  segment         integer not null,      -- appended_at_ms / segment length
  partition       integer not null,
  position        bigint not null,
  appended_at_ms  bigint not null,
  payload_bytes   integer not null,      -- before compression: what a reader will hold
  payload         bytea not null,
  primary key (partition, position, segment)
) partition by range (segment);
alter table log_record alter column payload set storage external;

-- How far each named consumer group has read: the next position it needs.
create table log_group (
  group_name    text not null,
  partition     integer not null,
  position      bigint not null,
  committed_at  timestamptz not null default now(),
  primary key (group_name, partition)
);
