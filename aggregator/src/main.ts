/**
 * An aggregator of the distributed form: reads Kafka with the others of its group, stores minutes in Postgres, keeps the
 * ring in Redis. Brings the database to the newest schema when it starts.
 */
import { SystemClock } from '@minutely/lib/clock'
import { loadConfigOrExit, refuseArguments } from '@minutely/lib/config'
import { deploymentSettings } from '@minutely/lib/deployment-settings'
import { createHttpServer } from '@minutely/lib/http-server'
import { IngestReport } from '@minutely/lib/ingest-report/ingest-report'
import { KafkaSampleLog } from '@minutely/lib/kafka-log/kafka-sample-log'
import { runServices } from '@minutely/lib/lifecycle'
import { createLiveMetrics } from '@minutely/lib/live/live-metrics'
import { RedisLiveWriter } from '@minutely/lib/live/redis-live-writer'
import { createLogger } from '@minutely/lib/logging'
import { createPool } from '@minutely/lib/postgres/pool'
import { createStore } from '@minutely/lib/postgres/store'
import { createRegistry } from '@minutely/lib/process-metrics'
import { RedisRecentRing } from '@minutely/lib/recent-ring/redis-recent-ring'
import { createRingMetrics } from '@minutely/lib/recent-ring/ring-metrics'
import { createRedisClient } from '@minutely/lib/redis/redis-client'
import { createRedisMetrics } from '@minutely/lib/redis/redis-metrics'
import { createRedisSubscriber } from '@minutely/lib/redis/redis-subscriber'
import { createRecordSchemas } from '@minutely/lib/schema-registry/record-schemas'
import { createSchemaRegistryMetrics } from '@minutely/lib/schema-registry/schema-registry-metrics'
import { aggregatorProcessSettings } from './config.ts'
import { PostgresMinuteStore } from './postgres-minute-store.ts'
import { createRingRepair } from './ring-repair.ts'
import { createHourSealer } from './sealing/hour-sealer.ts'
import { createAggregator } from './service.ts'

refuseArguments()
const config = loadConfigOrExit(aggregatorProcessSettings, { shared: deploymentSettings })
const log = createLogger(config.logging)
const clock = new SystemClock()
const registry = createRegistry()
const base = { clock, log, registry }
const schemaMetrics = createSchemaRegistryMetrics(registry)
const schemas = createRecordSchemas(config.schemas, { role: 'reader', clock, log, metrics: schemaMetrics })
const sampleLog = new KafkaSampleLog(config.kafka, { ...base, framing: schemas.framing })
const { connectionsMax } = config.store
const pool = createPool(config.postgres.connection, { name: 'aggregator', connectionsMax }, { log })
const store = createStore(pool, { clock, log, migrates: true })
const redisDeps = { clock, log, metrics: createRedisMetrics(registry) }
const client = createRedisClient(config.redis, 'aggregator', redisDeps)
const subscriber = createRedisSubscriber(config.redis, 'aggregator-live', redisDeps)
const metrics = createRingMetrics(registry)
const ring = new RedisRecentRing(config.ring, { redis: client, clock, log, metrics })
const repair = createRingRepair(config.ring, { pool, ring, clock, log, metrics })
const liveMetrics = createLiveMetrics(registry)
const live = new RedisLiveWriter(config.live, { client, subscriber, clock, log, metrics: liveMetrics })
const minuteStore = new PostgresMinuteStore(pool)
const sealer = createHourSealer(config.aggregator, { pool, ...base })
const ingest = new IngestReport(config.ingest, { ...base, sampleLog, port: config.http.port })
const aggregator = createAggregator(config.aggregator, { ...base, sampleLog, minuteStore, live, ring, ingest })
const readiness = [store.readiness, sampleLog.readiness, aggregator.readiness]
const http = createHttpServer(config.http, { log, registry, plugins: [], readiness })
const explain = (message: string): void => void process.stderr.write(`The aggregator could not start: ${message}\n`)
const services = [http, store, schemas, sampleLog, client, subscriber, live, repair, sealer, ingest, aggregator]
process.exitCode = await runServices(services, { log, explain })
