-- Records of the log that were gone before they were read: retention overran the aggregators, or a topic was deleted
-- and made anew. Written in the transaction that goes on behind the gap; at least one row a gap (a crash may repeat it).
create table log_gap (
  gap_id         bigint generated always as identity primary key,
  topic          text not null,
  partition      integer not null,
  from_position  bigint not null,               -- the first position that was wanted
  to_position    bigint not null,               -- where reading went on; lower than from_position after 'rewound'
  reason         text not null,                 -- 'retention' or 'rewound'
  noticed_at     timestamptz not null default now()
);
create index log_gap_by_time on log_gap (noticed_at);
grant select on log_gap to minutely_query;
