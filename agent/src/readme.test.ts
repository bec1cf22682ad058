/** The tables of README.md are those the code prints. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { it } from 'node:test'
import { settingsTable } from '@minutely/lib/config'
import { agentHttpSettings, agentSettings, agentSpoolSettings } from './config.ts'
import { hostMetricsTable } from './host/host-metric-catalogue.ts'

it('README.md has the current tables of metrics and settings', () => {
  const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8')
  for (const [marker, table] of [
    ['host-metrics', hostMetricsTable()],
    ['settings:agent', settingsTable(agentSettings)],
    ['settings:agent-spool', settingsTable(agentSpoolSettings)],
    ['settings:agent-http', settingsTable(agentHttpSettings)],
  ]) {
    assert.ok(readme.includes(`<!-- ${marker} -->\n${table}\n<!-- /`), `the table ${marker} is not current`)
  }
})
