-- The last record that was read of a partition when this row was written: a log that has another append time at that position, or
-- nothing, is not the one that position belongs to. Null: nothing was read, or the log is this database.
alter table partition_progress
  add column anchor_position        bigint,
  add column anchor_appended_at_ms  bigint,
  add constraint whole_anchor check ((anchor_position is null) = (anchor_appended_at_ms is null));
