/**
 * The settings tables of the documents: which names a marker may have, and a document with its tables made anew.
 *
 *     <!-- settings:collector -->
 *     | variable | default | meaning |
 *     <!-- /settings -->
 */
import { agentHttpSettings, agentSettings, agentSpoolSettings } from '@minutely/agent/config'
import { aggregatorSettings, aggregatorStoreSettings } from '@minutely/aggregator/config'
import { importSettings } from '@minutely/aggregator/import/import-settings'
import { embeddedSettings } from '@minutely/all-in-one/config'
import { collectorSettings } from '@minutely/collector-api/config'
import { type Settings, settingsTable } from '@minutely/lib/config'
import { httpSettings } from '@minutely/lib/http-server'
import { ingestReportSettings } from '@minutely/lib/ingest-report/ingest-report-settings'
import { kafkaLogSettings } from '@minutely/lib/kafka-log/kafka-log-settings'
import { liveSettings } from '@minutely/lib/live/live-settings'
import { loggingSettings } from '@minutely/lib/logging'
import { postgresSettings } from '@minutely/lib/postgres/postgres-settings'
import { ringSettings } from '@minutely/lib/recent-ring/ring-settings'
import { redisSettings } from '@minutely/lib/redis/redis-settings'
import { postgresLogSettings } from '@minutely/lib/sample-log/postgres-log-settings'
import { schemaRegistrySettings } from '@minutely/lib/schema-registry/schema-registry-settings'
import { querySettings } from '@minutely/query-api/config'

export const settingsByName: ReadonlyMap<string, Settings> = new Map<string, Settings>([
  ['agent', agentSettings],
  ['agent-http', agentHttpSettings],
  ['agent-spool', agentSpoolSettings],
  ['aggregator', aggregatorSettings],
  ['aggregator-store', aggregatorStoreSettings],
  ['collector', collectorSettings],
  ['embedded', embeddedSettings],
  ['http', httpSettings],
  ['import', importSettings],
  ['ingest-report', ingestReportSettings],
  ['kafka', kafkaLogSettings],
  ['live', liveSettings],
  ['log', postgresLogSettings],
  ['logging', loggingSettings],
  ['postgres', postgresSettings],
  ['query', querySettings],
  ['redis', redisSettings],
  ['ring', ringSettings],
  ['schema-registry', schemaRegistrySettings],
])

const tablePattern = /<!-- settings:(\S+) -->\n[\s\S]*?<!-- \/settings -->/g

/** Names of the tables a document holds. */
export function tablesOf(document: string): string[] {
  return [...document.matchAll(tablePattern)].map(([, name = '']) => name)
}

/** @throws Error for a marker whose name no settings have. */
export function withCurrentTables(document: string): string {
  return document.replaceAll(tablePattern, (_found, name: string) => {
    const settings = settingsByName.get(name)
    if (settings === undefined) {
      throw new Error(`there are no settings "${name}"; the names are ${[...settingsByName.keys()].join(', ')}`)
    }
    return `<!-- settings:${name} -->\n${settingsTable(settings)}\n<!-- /settings -->`
  })
}
