/** A query API of the distributed form, with the dashboard: stateless, as many as are needed. Reads only. */
import { fileURLToPath } from 'node:url'
import { SystemClock } from '@minutely/lib/clock'
import { loadConfigOrExit, refuseArguments } from '@minutely/lib/config'
import { deploymentSettings } from '@minutely/lib/deployment-settings'
import { createHttpServer } from '@minutely/lib/http-server'
import { runServices } from '@minutely/lib/lifecycle'
import { createLiveMetrics } from '@minutely/lib/live/live-metrics'
import { RedisLiveReader } from '@minutely/lib/live/redis-live-reader'
import { createLogger } from '@minutely/lib/logging'
import { createPool } from '@minutely/lib/postgres/pool'
import { createStore } from '@minutely/lib/postgres/store'
import { createRegistry } from '@minutely/lib/process-metrics'
import { RedisRecentRing } from '@minutely/lib/recent-ring/redis-recent-ring'
import { createRingMetrics } from '@minutely/lib/recent-ring/ring-metrics'
import { createRedisClient } from '@minutely/lib/redis/redis-client'
import { createRedisMetrics } from '@minutely/lib/redis/redis-metrics'
import { createRedisSubscriber } from '@minutely/lib/redis/redis-subscriber'
import { annotatorConnectionsMax, queryProcessSettings } from './config.ts'
import { createQueryApi } from './service.ts'

const dashboardDir = fileURLToPath(new URL('../../dashboard/dist', import.meta.url))

refuseArguments()
const config = loadConfigOrExit(queryProcessSettings, { shared: deploymentSettings })
const log = createLogger(config.logging)
const clock = new SystemClock()
const registry = createRegistry()
const { connectionsMax } = config.query
const options = { name: 'query', connectionsMax, readAsTenantId: 1 }
const pool = createPool(config.postgres.connection, options, { log })
const annotating = { name: 'annotate', connectionsMax: annotatorConnectionsMax, annotateAsTenantId: 1 }
const annotator = createPool(config.postgres.connection, annotating, { log })
const store = createStore(pool, { clock, log, migrates: false })
const redisDeps = { clock, log, metrics: createRedisMetrics(registry) }
const client = createRedisClient(config.redis, 'query', redisDeps)
const subscriber = createRedisSubscriber(config.redis, 'query-live', redisDeps)
const ring = new RedisRecentRing(config.ring, { redis: client, clock, log, metrics: createRingMetrics(registry) })
const liveMetrics = createLiveMetrics(registry)
const live = new RedisLiveReader(config.live, { client, subscriber, clock, log, metrics: liveMetrics })
const queryApi = createQueryApi(config.query, { clock, log, registry, pool, annotator, live, ring, dashboardDir })
const readiness = [store.readiness]
const http = createHttpServer(config.http, { log, registry, plugins: [queryApi.plugin], readiness })
const explain = (message: string): void => void process.stderr.write(`The query API could not start: ${message}\n`)
process.exitCode = await runServices([store, client, subscriber, live, queryApi, http], { log, explain })
