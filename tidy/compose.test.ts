/** The compose file, as far as it can be checked without Docker: its settings are ours, its ports the defaults. */
import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { aggregatorProcessSettings } from '@minutely/aggregator/config'
import { collectorProcessSettings } from '@minutely/collector-api/config'
import { loadConfig, type Settings } from '@minutely/lib/config'
import { queryProcessSettings } from '@minutely/query-api/config'
import { parse } from 'yaml'
import { read, root } from './repository.ts'

interface ComposeService {
  readonly image: string
  readonly command?: readonly string[]
  readonly environment?: Readonly<Record<string, string | number>>
  readonly ports?: readonly string[]
  readonly depends_on?: Readonly<Record<string, unknown>>
  readonly healthcheck?: { readonly test: readonly string[] }
}

const compose = parse(read('deploy/compose/compose.yaml'), { merge: true }) as {
  services: Record<string, ComposeService>
}
const processes: Readonly<Record<string, Readonly<Record<string, Settings>>>> = {
  'collector-api': collectorProcessSettings,
  aggregator: aggregatorProcessSettings,
  'query-api': queryProcessSettings,
}

for (const [name, sections] of Object.entries(processes)) {
  test(`compose: ${name} gets settings it knows, and listens on its default port`, () => {
    const service = compose.services[name]
    assert.ok(service, `there is no service ${name}`)
    const environment = Object.fromEntries(
      Object.entries(service.environment ?? {}).map(([key, value]) => [key, String(value)]),
    )
    assert.doesNotThrow(() => loadConfig(sections, environment))
    const port = environment['MINUTELY_PORT'] ?? ''
    assert.equal(port, sections['http']?.['port']?.default)
    const [, file = ''] = service.command ?? []
    assert.ok(existsSync(join(root, file)), `${file} is no file`)
    assert.ok(service.healthcheck?.test.join(' ').includes(`:${port}/readyz`))
  })
}

test('compose: hosts that settings name are services, and every port is published on loopback only', () => {
  const names = new Set(Object.keys(compose.services))
  for (const [name, service] of Object.entries(compose.services)) {
    for (const needed of Object.keys(service.depends_on ?? {})) assert.ok(names.has(needed), `${name} needs ${needed}`)
    for (const port of service.ports ?? []) assert.match(port, /^127\.0\.0\.1:(\d+):\1$/, `${name} publishes ${port}`)
    if (processes[name] === undefined) continue
    for (const [variable, value] of Object.entries(service.environment ?? {})) {
      const host = /^(?:[a-z]+:\/\/)?(?:[^@/]*@)?([a-z-]+):\d+/.exec(String(value))?.[1]
      if (host !== undefined) assert.ok(names.has(host), `${name}: ${variable}=${value} names no service`)
    }
  }
})
