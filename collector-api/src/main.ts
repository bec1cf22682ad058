/** A collector of the distributed form: stateless, as many as are needed, behind a load balancer. Writes to Kafka. */
import { SystemClock } from '@minutely/lib/clock'
import { loadConfigOrExit, refuseArguments } from '@minutely/lib/config'
import { deploymentSettings } from '@minutely/lib/deployment-settings'
import { createHttpServer } from '@minutely/lib/http-server'
import { IngestReport } from '@minutely/lib/ingest-report/ingest-report'
import { KafkaSampleLog } from '@minutely/lib/kafka-log/kafka-sample-log'
import { runServices } from '@minutely/lib/lifecycle'
import { createLogger } from '@minutely/lib/logging'
import { createRegistry } from '@minutely/lib/process-metrics'
import { createRecordSchemas } from '@minutely/lib/schema-registry/record-schemas'
import { createSchemaRegistryMetrics } from '@minutely/lib/schema-registry/schema-registry-metrics'
import { collectorProcessSettings } from './config.ts'
import { createCollector } from './service.ts'

refuseArguments()
const config = loadConfigOrExit(collectorProcessSettings, { shared: deploymentSettings })
const log = createLogger(config.logging)
const clock = new SystemClock()
const registry = createRegistry()
const base = { clock, log, registry }
const metrics = createSchemaRegistryMetrics(registry)
const schemas = createRecordSchemas(config.schemas, { role: 'writer', clock, log, metrics })
const sampleLog = new KafkaSampleLog(config.kafka, { ...base, framing: schemas.framing })
const ingest = new IngestReport(config.ingest, { ...base, sampleLog, port: config.http.port })
const collector = createCollector(config.collector, { ...base, sampleLog, ingest, random: Math.random })
const readiness = [sampleLog.readiness, collector.readiness]
const http = createHttpServer(config.http, { log, registry, plugins: [collector.plugin], readiness })
const explain = (message: string): void => void process.stderr.write(`The collector could not start: ${message}\n`)
process.exitCode = await runServices([schemas, sampleLog, ingest, collector, http], { log, explain })
