/** Options that npm takes for itself are noticed, for every option that a command has. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { importUsage } from '../aggregator/src/import/import-options.ts'
import { benchUsage } from '../loadtest/src/bench/bench-options.ts'
import { usage as chaosUsage } from '../loadtest/src/chaos/chaos-options.ts'
import { usage as distributedUsage } from '../loadtest/src/fleet/distributed-options.ts'
import { hostileUsage } from '../loadtest/src/hostile-options.ts'
import { loadtestUsage } from '../loadtest/src/loadtest-options.ts'
import { queryUsage } from '../loadtest/src/queries/query-options.ts'
import { returnUsage } from '../loadtest/src/return-options.ts'
import { usage as simulateUsage } from '../loadtest/src/simulation/simulate-options.ts'

interface NpmTook {
  readonly optionsOf: Readonly<Record<string, Readonly<Record<string, boolean>>>>
  npmTook(command: string, given: { args: string[]; environment: Record<string, string> }): string | undefined
}

// A script of Node 20 has no types.
const scripts = (file: string): URL => new URL(file, import.meta.url)
const { npmTook, optionsOf } = (await import(scripts('./npm-took.mjs').href)) as NpmTook
const source = (file: string): string => /const usage = `[^`]*`/.exec(readFileSync(scripts(file), 'utf8'))?.[0] ?? ''

const usages: Readonly<Record<string, string>> = {
  bench: benchUsage,
  'bench:queries': queryUsage,
  chaos: chaosUsage,
  distributed: distributedUsage,
  'fuzz:api': source('./fuzz-api.mjs'),
  hostile: hostileUsage,
  import: importUsage,
  'import:bench': source('../loadtest/src/import-bench.ts'),
  loadtest: loadtestUsage,
  return: returnUsage,
  servers: source('./servers/options.mjs'),
  simulate: simulateUsage,
}

for (const [command, usage] of Object.entries(usages)) {
  test(`${command}: every option of its help is known, and no other`, () => {
    const named = new Set([...usage.matchAll(/--([a-z][a-z-]*)/g)].map(([, name]) => name))
    assert.deepEqual(Object.keys(optionsOf[command] ?? {}).toSorted(), [...named].toSorted())
  })
}

test('what npm took is said, with the command that was meant', () => {
  const said = (command: string, args: string[], environment: Record<string, string>): string | undefined =>
    npmTook(command, { args, environment: { npm_lifecycle_event: command, ...environment } })
  const took = 'npm took'
  assert.equal(
    said('chaos', [], { npm_config_embedded: 'true' }),
    `${took} --embedded for itself: npm run chaos -- --embedded`,
  )
  assert.equal(
    said('simulate', ['4711'], { npm_config_seed: 'true' }),
    `${took} --seed for itself: npm run simulate -- --seed 4711`,
  )
  assert.equal(
    said('return', ['--agents', '5'], { npm_config_backlog_minutes: '15' }),
    `${took} --backlog-minutes for itself: npm run return -- --backlog-minutes 15 --agents 5`,
  )
  assert.equal(
    said('chaos', ['1', '2'], { npm_config_minutes: 'true', npm_config_seed: 'true' }),
    `${took} --minutes, --seed for itself: npm run chaos -- --minutes <minutes> --seed <seed>`,
  )
  assert.equal(said('chaos', [], { npm_config_loglevel: 'warn', npm_config_node_version: '24.0.0' }), undefined)
  assert.equal(said('chaos', ['--embedded'], { npm_config_embedded: 'true' }), undefined)
})

test('what was meant for the command that started this one is not meant for it', () => {
  const environment = { npm_lifecycle_event: 'chaos', npm_config_json: 'true' }
  assert.equal(npmTook('servers', { args: [], environment }), undefined)
})
