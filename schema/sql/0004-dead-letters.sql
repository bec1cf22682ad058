-- Records of the Postgres log that could not be read, set aside so that their partition goes on
-- (lib/src/sample-log/postgres-dead-letters.ts). The newest DEAD_LETTERS_MAX are kept.
create table dead_letter (
  dead_letter_id  bigint generated always as identity primary key,
  topic           text not null,
  partition       integer not null,
  position        bigint not null,
  appended_at_ms  bigint not null,
  reason          text not null,       -- kebab-case
  detail          text not null,
  payload         bytea not null,
  headers         jsonb,               -- name -> hexadecimal
  unreadable      jsonb,               -- {reason, detail} when the payload is as it was stored, not as it was appended
  added_at        timestamptz not null default now(),
  unique (topic, partition, position)
);
