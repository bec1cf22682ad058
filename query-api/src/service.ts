/**
 * The query API: answers ranges, streams live updates, keeps annotations, serves the dashboard. What it may see and write is
 * decided by the roles and the tenant of the pools it is given: one that reads, and one that writes annotations only.
 */
import type { Clock } from '@minutely/lib/clock'
import type { Service } from '@minutely/lib/lifecycle'
import type { LiveReader } from '@minutely/lib/live/live-channel'
import type { Logger } from '@minutely/lib/logging'
import type { Pool } from '@minutely/lib/postgres/pool'
import type { RecentRing } from '@minutely/lib/recent-ring/recent-ring'
import { ApiError } from '@minutely/schema/error-catalogue'
import type { FastifyPluginAsync } from 'fastify'
import type { Registry } from 'prom-client'
import { registerAnnotationRoutes } from './annotation-routes.ts'
import type { QueryConfig } from './config.ts'
import { registerDashboard } from './dashboard-files.ts'
import { registerDocs } from './docs-page.ts'
import { registerFleetRoutes } from './fleet-routes.ts'
import { registerIngestRoutes } from './ingest-routes.ts'
import { registerLiveRoutes } from './live-routes.ts'
import { LiveViewers } from './live-viewers.ts'
import { MetricFeeds } from './metric-feeds.ts'
import { registerMetricLiveRoutes } from './metric-live-routes.ts'
import { createQueryMetrics } from './metrics.ts'
import { PointBudget } from './range-limits.ts'
import { registerRangeRoutes } from './range-routes.ts'
import { ServerFeeds } from './server-feeds.ts'
import type { DiskSpace } from './storage.ts'
import { registerStorageRoutes } from './storage-routes.ts'
import { createSealedStore } from './stored-minutes.ts'

export interface QueryApiDeps {
  /** A reader's: made with readAsTenantId. */
  readonly pool: Pool
  /** Made with annotateAsTenantId; the query API ends it. */
  readonly annotator: Pool
  readonly live: LiveReader
  /** AbsentRecentRing where there is no Redis. */
  readonly ring: RecentRing
  readonly clock: Clock
  readonly log: Logger
  readonly registry: Registry
  /** Of the volume of the database, where this process can see it. */
  readonly diskSpace?: () => Promise<DiskSpace>
  /** The built dashboard; without it `/` explains how to build one. */
  readonly dashboardDir?: string
}

export interface QueryApi extends Service {
  readonly plugin: FastifyPluginAsync
}

export function createQueryApi(config: QueryConfig, deps: QueryApiDeps): QueryApi {
  const metrics = createQueryMetrics(deps.registry)
  const budget = new PointBudget(config.pointsInFlightMax, (points) => metrics.pointsInFlight.set(points))
  const stopping = new AbortController()
  const feeds = new ServerFeeds(config, { ...deps, metrics, budget })
  const metricFeeds = new MetricFeeds(config, { ...deps, metrics, budget })
  const viewers = new LiveViewers(config, { ...deps, metrics, feeds, metricFeeds })
  const stop = async (): Promise<void> => {
    stopping.abort(new ApiError('store-unavailable', 'The query API is stopping; ask again', { retryAfterS: 2 }))
    viewers.stop()
    await feeds.stop()
    await metricFeeds.stop()
    if (!deps.annotator.ending) await deps.annotator.end()
  }
  return {
    name: 'query-api',
    start: async () => {},
    stop,
    plugin: async (app) => {
      app.addHook('onRequest', async (_request, reply) => {
        reply.header('x-content-type-options', 'nosniff')
      })
      const sealed = createSealedStore(config.cacheBytesMax, metrics)
      const routeDeps = { ...deps, metrics, budget, stopping: stopping.signal, ...(sealed && { sealed }) }
      registerRangeRoutes(app, config, routeDeps)
      registerStorageRoutes(app, config, routeDeps)
      registerFleetRoutes(app, config, routeDeps)
      registerIngestRoutes(app, config, routeDeps)
      registerAnnotationRoutes(app, config, routeDeps)
      registerLiveRoutes(app, config, { ...routeDeps, viewers, feeds })
      registerMetricLiveRoutes(app, config, { ...routeDeps, viewers, metricFeeds })
      await registerDocs(app)
      await registerDashboard(app, deps.dashboardDir)
      // A server that closes waits for its answers to end; live streams only end when told to.
      app.addHook('preClose', stop)
    },
  }
}
