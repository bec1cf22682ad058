/** The rules for code that a machine can check. Each failure says which file and line, and what to do about it. */
import assert from 'node:assert/strict'
import { posix } from 'node:path'
import { test } from 'node:test'
import { createAgentMetrics, createSpoolMetrics } from '@minutely/agent/metrics'
import { createAggregatorMetrics } from '@minutely/aggregator/metrics'
import { createCollectorMetrics } from '@minutely/collector-api/metrics'
import { VirtualClock } from '@minutely/lib/clock'
import { createKafkaLogMetrics } from '@minutely/lib/kafka-log/kafka-log-metrics'
import { createLiveMetrics } from '@minutely/lib/live/live-metrics'
import { DiskReserve } from '@minutely/lib/postgres/disk-reserve'
import { silentLog } from '@minutely/lib/postgres/test-database'
import { createRingMetrics } from '@minutely/lib/recent-ring/ring-metrics'
import { createRedisMetrics } from '@minutely/lib/redis/redis-metrics'
import { createSchemaRegistryMetrics } from '@minutely/lib/schema-registry/schema-registry-metrics'
import { createQueryMetrics } from '@minutely/query-api/metrics'
import { Registry } from 'prom-client'
import {
  type Exceptions,
  importable,
  insideServices,
  longFiles,
  ownEnvironment,
  ownTime,
  quarantine,
  undeclared,
} from './exceptions.ts'
import { filesBelow, importsOf, placesOf, read, type SourceFile, sourceFiles, workspaces } from './repository.ts'

const linesMax = 300
const sources = sourceFiles()
/** What runs in production. */
const productive = sources.filter(({ area, isTest }) => workspaces.includes(area) && area !== 'loadtest' && !isTest)
const services = ['agent', 'aggregator', 'collector-api', 'query-api']
const mayImport: Readonly<Record<string, readonly string[]>> = {
  schema: [],
  lib: ['schema'],
  agent: ['schema', 'lib'],
  aggregator: ['schema', 'lib'],
  'collector-api': ['schema', 'lib'],
  'query-api': ['schema', 'lib'],
  dashboard: ['schema'],
  'all-in-one': ['schema', 'lib', ...services],
  loadtest: ['schema', 'lib', 'all-in-one', ...services],
}

function expectNone(problems: readonly string[], rule: string): void {
  assert.ok(problems.length === 0, `${rule}\n  ${problems.join('\n  ')}`)
}

/** Places of the pattern outside the files with an exception, and exceptions that are no longer needed. */
function misplaced(files: readonly SourceFile[], pattern: RegExp, allowed: Exceptions): string[] {
  const found = files.flatMap((file) => (file.path in allowed ? [] : placesOf(file, pattern)))
  const needless = Object.keys(allowed)
    .filter((path) => !files.some((file) => file.path === path && placesOf(file, pattern).length > 0))
    .map((path) => `tidy/exceptions.ts: ${path} needs no exception any more; remove it`)
  return [...found, ...needless]
}

test('workspaces import only what lies below them', () => {
  const problems = sources.flatMap((file) => {
    const allowed = mayImport[file.area]
    if (allowed === undefined) return []
    return importsOf(file).flatMap(({ specifier, line, isTypeOnly }) => {
      const place = `${file.path}:${line} imports ${specifier}`
      if (specifier.startsWith('.')) {
        const target = posix.join(posix.dirname(file.path), specifier)
        return target.startsWith(`${file.area}/`) ? [] : [`${place}: write @minutely/<workspace>/<file>`]
      }
      const [, workspace, entry = ''] = /^@minutely\/([^/]+)\/(.+)$/.exec(specifier) ?? []
      if (workspace === undefined || workspace === file.area) return []
      if (!allowed.includes(workspace)) return [`${place}: ${file.area} may import ${allowed.join(', ') || 'nothing'}`]
      const entries = importable[workspace]
      const isInside = Object.keys(insideServices).some((folder) => file.path.startsWith(folder))
      if (entries !== undefined && !entries.includes(entry) && !isInside) {
        return [`${place}: of ${workspace} only ${entries.join(', ')} may be imported`]
      }
      // The one module of values there: it imports nothing.
      if (specifier === '@minutely/schema/metric-unit') return []
      if (file.area === 'dashboard' && !isTypeOnly) return [`${place}: use import type, or the bundle gets zod`]
      return []
    })
  })
  expectNone(problems, 'An import points the wrong way; move what is shared down into lib or schema:')
})

test('workspaces declare every package they import', () => {
  const ofRoot = packagesOf('package.json')
  const excused = new Set<string>()
  const problems = sources.flatMap((file) => {
    if (!workspaces.includes(file.area)) return []
    const declared = new Set([...ofRoot, ...packagesOf(`${file.area}/package.json`)])
    return importsOf(file).flatMap(({ specifier, line }) => {
      if (/^(\.|node:|virtual:)/.test(specifier)) return []
      const name = specifier.split('/', specifier.startsWith('@') ? 2 : 1).join('/')
      if (declared.has(name) || name === `@minutely/${file.area}`) return []
      const exception = `${file.area} ${name}`
      if (!(exception in undeclared)) return [`${file.path}:${line} imports ${name}`]
      excused.add(exception)
      return []
    })
  })
  for (const exception of Object.keys(undeclared)) {
    if (!excused.has(exception))
      problems.push(`tidy/exceptions.ts: "${exception}" needs no exception any more; remove it`)
  }
  expectNone(problems, "Add these to the package.json of the file's workspace:")
})

function packagesOf(path: string): string[] {
  const { dependencies, devDependencies } = JSON.parse(read(path)) as Record<string, Record<string, string> | undefined>
  return Object.keys({ ...dependencies, ...devDependencies })
}

for (const [name, home] of Object.entries(quarantine)) {
  test(`only ${home} knows the package ${name}`, () => {
    // Its types come in a package of their own.
    const named = new RegExp(`['"\`](@types/)?${name}[/'"\`]`)
    const found = sources.filter(({ area }) => workspaces.includes(area))
    expectNone(misplaced(found, named, { [home]: 'its home' }), `Use what ${home} exports instead:`)
  })
}

test('only the configuration reads the environment', () => {
  const found = misplaced(productive, /\bprocess\.env\b/, ownEnvironment)
  expectNone(found, "Declare a setting in the service's config.ts and pass its value on:")
})

test('only the clock knows the time', () => {
  const pattern = /\bDate\.now\b|\bnew Date\(\)|(?<![.\w])set(Timeout|Interval)\b/
  expectNone(misplaced(productive, pattern, ownTime), 'Take a Clock (lib/src/clock.ts) from the dependencies instead:')
})

test('only the lifecycle listens for signals and defects', () => {
  const pattern = /\.(on|once)\(\s*['"](SIG[A-Z]+|uncaughtException|unhandledRejection)['"]/
  const home = { 'lib/src/lifecycle.ts': 'is the lifecycle' }
  expectNone(misplaced(productive, pattern, home), 'Be a Service ({ name, start, stop }) instead:')
})

test('no metric goes to the global registry of prom-client', () => {
  const pattern = /import \{[^}]*\bregister\b[^}]*\} from 'prom-client'/
  expectNone(misplaced(sources, pattern, {}), 'Take the registry from the dependencies instead:')
})

test('metrics are named minutely_<noun>_<unit>, counters end in _total', async () => {
  const registry = new Registry()
  createAgentMetrics(registry, { queue: () => ({ bytes: 0, batches: 0 }) })
  createSpoolMetrics(registry, { spool: () => ({ bytes: 0, batches: 0, isWritable: true }) })
  createAggregatorMetrics(registry)
  createCollectorMetrics(registry)
  new DiskReserve({ dataDir: '.', reserveBytes: 0 }, { clock: new VirtualClock(0), log: silentLog, registry })
  createKafkaLogMetrics(registry, {
    sendBytes: () => 0,
    fetchBytes: () => 0,
    ownTopics: () => 0,
    memberships: () => [],
    lags: () => [],
  })
  createLiveMetrics(registry)
  createRedisMetrics(registry)
  createRingMetrics(registry)
  createSchemaRegistryMetrics(registry)
  createQueryMetrics(registry)
  const problems = (await registry.getMetricsAsJSON()).flatMap(({ name, type }) => {
    if (!/^minutely_[a-z_]+$/.test(name)) return [`${name} does not match minutely_[a-z_]+`]
    // prom-client gives types as strings here, whatever its declarations say.
    const isCounter = String(type) === 'counter'
    return isCounter === name.endsWith('_total') ? [] : [`${name} is a ${String(type)}`]
  })
  expectNone(problems, 'Rename these metrics where they are made (metrics.ts):')
})

test(`sources have at most ${linesMax} lines`, () => {
  const long = (file: SourceFile): boolean => file.text.split('\n').length - 1 > linesMax
  const problems = sources
    .filter((file) => !file.isTest && !(file.path in longFiles) && long(file))
    .map(({ path, text }) => `${path} has ${text.split('\n').length - 1}`)
  const needless = Object.keys(longFiles)
    .filter((path) => !sources.some((file) => file.path === path && long(file)))
    .map((path) => `tidy/exceptions.ts: ${path} needs no exception any more; remove it`)
  expectNone([...problems, ...needless], 'Split these files by noun:')
})

test('every source opens with what it is for', () => {
  const problems = sources
    .filter(({ isTest, text }) => !isTest && !text.startsWith('/**'))
    .map(({ path }) => `${path}:1`)
  expectNone(problems, 'Open these files with a /** comment: what for, units, invariants:')
})

test('nothing is left for later, and no test runs alone', () => {
  const words = ['TODO', 'FIXME', 'XXX', 'HACK'].join('|')
  const left = sources.flatMap((file) => placesOf(file, new RegExp(`\\b(${words})\\b`), 'text'))
  const lonely = sources.flatMap((file) => placesOf(file, /\b(test|it|describe)\.only\b/))
  const others = sources.filter(({ area }) => area !== 'tidy').map(({ path }) => path)
  const outside = (place: string): boolean => others.includes(place.split(':')[0] ?? '')
  expectNone([...left, ...lonely].filter(outside), 'Finish these, or describe them in an issue:')
})

test('migrations are numbered without gaps', () => {
  const names = filesBelow('schema/sql').map((path) => posix.basename(path))
  const problems = names.flatMap((name, index) => {
    const number = String(index + 1).padStart(4, '0')
    return new RegExp(`^${number}-[a-z0-9-]+\\.sql$`).test(name) ? [] : [`schema/sql/${name}: expected ${number}-*.sql`]
  })
  expectNone(problems, 'Migrations are only ever added, each with the next number:')
})

test('every fixture of a format is read by a test', () => {
  const tests = sources.filter(({ isTest, path }) => isTest && path.startsWith('schema/'))
  const problems = filesBelow('schema/fixtures').filter((path) => {
    const name = posix.basename(path)
    return !tests.some(({ code }) => code.includes(name) || code.includes(posix.parse(name).name))
  })
  expectNone(problems, "Name these in a test of schema/ that reads them with today's code:")
})

test('every workspace has a README.md', () => {
  const problems = [...workspaces, 'deploy'].filter((name) => !filesBelow(name).includes(`${name}/README.md`))
  expectNone(problems, 'Say there what the workspace is for, its doors, and how to test it:')
})
