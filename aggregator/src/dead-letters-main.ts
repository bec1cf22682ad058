/** The entry point of `npm run dead-letters` (dead-letters-command.ts). */
import { SystemClock } from '@minutely/lib/clock'
import { loadConfigOrExit } from '@minutely/lib/config'
import { deploymentSettings } from '@minutely/lib/deployment-settings'
import { KafkaSampleLog } from '@minutely/lib/kafka-log/kafka-sample-log'
import { holdProcess } from '@minutely/lib/lifecycle'
import { createLogger, loggingSettings } from '@minutely/lib/logging'
import { createRegistry } from '@minutely/lib/process-metrics'
import { createRecordSchemas } from '@minutely/lib/schema-registry/record-schemas'
import { createSchemaRegistryMetrics } from '@minutely/lib/schema-registry/schema-registry-metrics'
import { aggregatorProcessSettings } from './config.ts'
import { checkArguments, deadLettersUsage, runDeadLetters, UsageError } from './dead-letters-command.ts'

const { kafka, schemas } = aggregatorProcessSettings
const config = loadConfigOrExit(
  {
    kafka,
    schemas,
    logging: { ...loggingSettings, level: { ...loggingSettings.level, default: 'error' } },
  },
  { shared: deploymentSettings },
)
const log = createLogger(config.logging)
const clock = new SystemClock()
const registry = createRegistry()
const metrics = createSchemaRegistryMetrics(registry)
const { framing } = createRecordSchemas(config.schemas, { role: 'reader', clock, log, metrics })
const sampleLog = new KafkaSampleLog(config.kafka, { framing, clock, log, registry })
const release = holdProcess()
try {
  checkArguments(process.argv.slice(2))
  await sampleLog.start()
  const write = (line: string): void => void process.stdout.write(`${line}\n`)
  await runDeadLetters(process.argv.slice(2), { deadLetters: sampleLog.deadLetters, write })
} catch (error) {
  const usage = error instanceof UsageError ? `\n\n${deadLettersUsage}` : ''
  process.stderr.write(`${(error as Error).message}${usage}\n`)
  process.exitCode = error instanceof UsageError ? 2 : 1
} finally {
  await sampleLog.stop()
  release()
}
