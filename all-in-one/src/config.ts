/** Settings of the embedded process: its own, and those of every service in it. */

import { agentSettings } from '@minutely/agent/config'
import { aggregatorSettings } from '@minutely/aggregator/config'
import { collectorSettings } from '@minutely/collector-api/config'
import { type ConfigOf, integer, onOff, type Settings, text } from '@minutely/lib/config'
import { httpSettings } from '@minutely/lib/http-server'
import { ingestReportSettings } from '@minutely/lib/ingest-report/ingest-report-settings'
import { loggingSettings } from '@minutely/lib/logging'
import { postgresLogSettings } from '@minutely/lib/sample-log/postgres-log-settings'
import { querySettings } from '@minutely/query-api/config'

export const embeddedSettings = {
  dataDir: {
    name: 'DATA_DIR',
    shape: text,
    default: './data',
    description: 'Folder of everything that is kept; made on the first start. Copy it while stopped to back it up',
  },
  diskReserveBytes: {
    name: 'DISK_RESERVE_BYTES',
    shape: integer({ min: 0, max: 1_099_511_627_776 }),
    default: '268435456',
    unit: 'bytes',
    description:
      'Free space on the disk of the data folder below which samples are refused with 503, until an eighth more is free. A quarter of it is held back in a ' +
      'file, so that PostgreSQL can start when others fill the disk. Below 128 MiB that is too little; 0 switches both off',
  },
  localAgent: {
    name: 'LOCAL_AGENT',
    shape: onOff,
    default: 'on',
    description: 'Whether this process also measures the machine it runs on',
  },
} satisfies Settings

export const allInOneSettings = {
  embedded: embeddedSettings,
  http: httpSettings,
  // A terminal that shows a banner should only be disturbed by what matters.
  logging: { ...loggingSettings, level: { ...loggingSettings.level, default: 'warn' } },
  log: postgresLogSettings,
  ingest: ingestReportSettings,
  collector: collectorSettings,
  aggregator: aggregatorSettings,
  query: querySettings,
  agent: agentSettings,
} as const satisfies Readonly<Record<string, Settings>>

export type AllInOneConfig = { readonly [K in keyof typeof allInOneSettings]: ConfigOf<(typeof allInOneSettings)[K]> }
