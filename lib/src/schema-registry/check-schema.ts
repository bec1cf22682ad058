/**
 * `npm run schemas -- check <file.avsc>`: what the registry, and every release of ours, would say to a changed record schema.
 * Registers nothing. Exit code 0: compatible; 1: not, or the registry could not be asked; 2: wrong arguments.
 */
import { readFileSync } from 'node:fs'
import { recordCodec } from '@minutely/schema/sample-codec'
import { unreadableBecause } from '@minutely/schema/versioned-type'
import { Registry } from 'prom-client'
import { SystemClock } from '../clock.ts'
import { loadConfigOrExit } from '../config.ts'
import { deploymentSettings } from '../deployment-settings.ts'
import { ConfluentRegistry } from './confluent-registry.ts'
import { createSchemaRegistryMetrics } from './schema-registry-metrics.ts'
import { schemaRegistrySettings } from './schema-registry-settings.ts'

const [command, file] = process.argv.slice(2)
if (command !== 'check' || file === undefined) {
  process.stderr.write('usage: npm run schemas -- check <file.avsc>\n')
  process.exit(2)
}
const { registry: config } = loadConfigOrExit({ registry: schemaRegistrySettings }, { shared: deploymentSettings })
const problems: string[] = []
let failure = ''
try {
  const schema: unknown = JSON.parse(readFileSync(file, 'utf8'))
  problems.push(...releaseProblems(schema))
  problems.push(...(await registryProblems(schema)))
} catch (error) {
  failure = `${(error as Error).message}\n`
}
if (problems.length > 0) {
  const advice = 'Give every new field a default and remove none that has no default: docs/schema-evolution.md'
  process.stderr.write(`${file} cannot be released:\n  - ${problems.join('\n  - ')}\n${advice}\n`)
}
if (failure !== '') process.stderr.write(`It could not be compared with all there is: ${failure}`)
if (problems.length > 0 || failure !== '') process.exit(1)
process.stdout.write(`${file} is compatible with every release and every version in the registry\n`)

function releaseProblems(schema: unknown): string[] {
  return recordCodec.versions.flatMap(({ schema: released, version }) => {
    const forward = unreadableBecause({ writer: schema, reader: released })
    const backward = unreadableBecause({ writer: released, reader: schema })
    return [
      ...(backward === undefined ? [] : [`it cannot read records of version ${version}: ${backward}`]),
      ...(forward === undefined ? [] : [`version ${version} cannot read its records: ${forward}`]),
    ]
  })
}

async function registryProblems(schema: unknown): Promise<string[]> {
  const deps = { clock: new SystemClock(), metrics: createSchemaRegistryMetrics(new Registry()) }
  const registry = new ConfluentRegistry(config, deps)
  const verdicts = await registry.verdicts(config.subject, schema)
  const where = `subject ${config.subject} of the registry at ${config.url}`
  if (verdicts.length === 0) process.stdout.write(`${where} has no version yet; only our releases were compared\n`)
  return verdicts
    .filter(({ isCompatible }) => !isCompatible)
    .map(({ version, messages }) => {
      const said = messages.length === 0 ? 'it gives no reason' : messages.join('; ')
      return `${where} finds it incompatible with its version ${version}: ${said}`
    })
}
