/**
 * The collector as a long-lived thing: wires the stateless REST door to a sample log, a clock and a registry that are passed
 * in. Who listens, and for how long, is decided in main. Stop it after the HTTP server and before the log.
 */
import type { Clock } from '@minutely/lib/clock'
import type { ReadinessCheck } from '@minutely/lib/http-server'
import type { IngestReport } from '@minutely/lib/ingest-report/ingest-report'
import type { Service } from '@minutely/lib/lifecycle'
import type { Logger } from '@minutely/lib/logging'
import type { SampleLog } from '@minutely/lib/sample-log/sample-log'
import type { FastifyPluginAsync } from 'fastify'
import type { Registry } from 'prom-client'
import { ActiveSeries } from './accept/active-series.ts'
import { RefusedSeriesLog } from './accept/refused-series-log.ts'
import { SeriesListCache } from './accept/series-list-cache.ts'
import { acceptBatch } from './accept-batch.ts'
import { ByteBudget } from './byte-budget.ts'
import type { CollectorConfig } from './config.ts'
import { IngestCounts } from './ingest-counts.ts'
import { Linger } from './linger.ts'
import { createCollectorMetrics } from './metrics.ts'
import { sampleRoutes } from './routes.ts'

export interface CollectorDeps {
  readonly clock: Clock
  readonly sampleLog: Pick<SampleLog, 'route' | 'append' | 'takesBundles'>
  readonly registry: Registry
  readonly log: Logger
  /** For the jitter of Retry-After: 0 <= random() < 1. */
  readonly random: () => number
  /** Where counts are reported, too; nowhere without it. */
  readonly ingest?: Pick<IngestReport, 'add' | 'set' | 'beforeReport'>
}

export interface Collector extends Service {
  readonly plugin: FastifyPluginAsync
  readonly readiness: ReadinessCheck
}

export function createCollector(config: CollectorConfig, deps: CollectorDeps): Collector {
  const { clock, sampleLog, registry, log, random, ingest } = deps
  const metrics = createCollectorMetrics(registry)
  const linger = new Linger({ clock, sampleLog, metrics, log, random, config })
  const activeSeries = new ActiveSeries(config, clock.nowMs())
  const refusedSeries = new RefusedSeriesLog({ warn: (fields, message) => log.warn(fields, message) })
  const cache = new SeriesListCache({
    sampleLog,
    activeSeries,
    bytesMax: config.seriesCacheBytesMax,
    lookedUp: (result) => metrics.seriesCacheLookups.inc({ result }),
  })
  metrics.seriesCacheBytesMax.set(config.seriesCacheBytesMax)
  metrics.activeSeriesMax.set(config.activeSeriesMax)
  metrics.activeSeriesBytesMax.set(config.activeSeriesBytesMax)
  const ingestCounts = ingest && new IngestCounts({ clock, ingest, config })
  const acceptDeps = { clock, sampleLog, cache, activeSeries, config }
  const plugin = sampleRoutes({
    accept: (body, type) => {
      const begunBefore = activeSeries.begunCount
      const batch = acceptBatch(body, type, acceptDeps)
      refusedSeries.note(activeSeries.takeRefusals(), clock.nowMs())
      metrics.newSeries.inc(activeSeries.begunCount - begunBefore)
      metrics.activeSeries.set(activeSeries.count)
      metrics.activeSeriesBytes.set(activeSeries.bytes)
      metrics.seriesCacheEntries.set(cache.entryCount)
      metrics.seriesCacheBytes.set(cache.bytesUsed)
      return batch
    },
    linger,
    metrics,
    ...(ingestCounts && { ingestCounts }),
    receiving: new ByteBudget(config.receivedBytesInFlightMax),
    decoding: new ByteBudget(config.decodedBytesInFlightMax),
    random,
    config,
  })
  ingest?.beforeReport(() => ingestCounts?.report())
  let isStarted = false
  return {
    name: 'collector',
    plugin,
    readiness: () => (isStarted ? linger.problem() : 'collector: is not started'),
    start: async () => {
      isStarted = true
    },
    stop: () => linger.stop(),
  }
}
