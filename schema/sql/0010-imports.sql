-- Files of history that were imported, or are being (aggregator/src/import/import-ledger.ts): how far, written in the transaction of
-- what it covers, so that an import that was interrupted goes on exactly there.
create table import_file (
  fingerprint  text primary key,                    -- of the file's bytes, and of how they are understood
  name         text not null,                       -- as it was given last
  position     bigint not null default 0,           -- byte of the (decompressed) content before which everything is stored
  batch        jsonb,                               -- the stretch behind it that is being stored, and how many parts of it are
  totals       jsonb not null,                      -- what became of the points before the position, and of those parts
  started_at   timestamptz not null default now(),
  updated_at   timestamptz not null default now(),
  finished_at  timestamptz                          -- null: there is more of it
);
