/**
 * Everything in one process: the same service factories as the separate processes, over an embedded Postgres that is
 * both the store and the sample log. Started in the order of a sample's path from its end to its beginning, so that
 * nothing is accepted before everything behind it works, and stopped in reverse:
 *
 *   Postgres -> sample log -> aggregator -> collector, query API -> HTTP -> this machine's agent
 */
import { resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { createAgent } from '@minutely/agent/service'
import { PostgresMinuteStore } from '@minutely/aggregator/postgres-minute-store'
import { createHourSealer } from '@minutely/aggregator/sealing/hour-sealer'
import { createAggregator } from '@minutely/aggregator/service'
import { createCollector } from '@minutely/collector-api/service'
import type { Clock } from '@minutely/lib/clock'
import { createHttpServer, httpSettings } from '@minutely/lib/http-server'
import { IngestReport } from '@minutely/lib/ingest-report/ingest-report'
import type { Service } from '@minutely/lib/lifecycle'
import { checkAddress } from '@minutely/lib/listen-address'
import { LocalLiveChannel } from '@minutely/lib/live/local-live-channel'
import type { Logger } from '@minutely/lib/logging'
import { DiskReserve } from '@minutely/lib/postgres/disk-reserve'
import { type EmbeddedServer, startEmbeddedServer } from '@minutely/lib/postgres/embedded-server'
import { migrate } from '@minutely/lib/postgres/migrate'
import { createPool, type Pool } from '@minutely/lib/postgres/pool'
import { createRegistry } from '@minutely/lib/process-metrics'
import { AbsentRecentRing } from '@minutely/lib/recent-ring/absent-recent-ring'
import { PostgresSampleLog } from '@minutely/lib/sample-log/postgres-sample-log'
import { annotatorConnectionsMax } from '@minutely/query-api/config'
import { createQueryApi } from '@minutely/query-api/service'
import type { AllInOneConfig } from './config.ts'
import type { Progress } from './progress.ts'

const dashboardDir = fileURLToPath(new URL('../../dashboard/dist', import.meta.url))
/** Appends, the flush, dictionary look-ups and maintenance at the same time. */
const writerConnectionsMax = 8
const hourMs = 3_600_000

export interface AllInOneDeps {
  readonly clock: Clock
  readonly log: Logger
  readonly progress: Progress
}

export interface AllInOne extends Service {
  /** Known after start. */
  readonly url: string
}

export function createAllInOne(config: AllInOneConfig, deps: AllInOneDeps): AllInOne {
  const { clock, log, progress } = deps
  const started: Service[] = []
  let server: EmbeddedServer | undefined
  const pools: Pool[] = []
  let url = ''

  let isStopping = false

  /** Between steps: a stop that was asked for while this starts must not find more and more to stop. */
  const goOn = (): void => {
    if (isStopping) throw new Error('stopped while it was starting')
  }
  const start = async (service: Service): Promise<void> => {
    goOn()
    started.push(service)
    await service.start()
  }

  return {
    name: 'minutely',
    get url() {
      return url
    },
    async start() {
      await checkAddress(config.http, httpSettings)
      const dataDir = resolve(config.embedded.dataDir)
      const registry = createRegistry()
      const { diskReserveBytes: reserveBytes } = config.embedded
      const reserve = new DiskReserve({ dataDir, reserveBytes }, { clock, log, registry })
      server = await startEmbeddedServer({ dataDir, onProgress: progress.step, makeRoom: reserve.makeRoom })
      failWhenItEnds(server)
      const { connection } = server
      const writer = createPool(connection, { name: 'writer', connectionsMax: writerConnectionsMax }, { log })
      pools.push(writer)
      goOn()
      const applied = await migrate(writer)
      if (applied.length > 0) progress.step(`brought the database to ${applied.at(-1)}`)
      const reader = createPool(
        connection,
        { name: 'reader', connectionsMax: config.query.connectionsMax, readAsTenantId: 1 },
        { log },
      )
      pools.push(reader)

      const annotating = { name: 'annotate', connectionsMax: annotatorConnectionsMax, annotateAsTenantId: 1 }
      const annotator = createPool(connection, annotating, { log })

      const live = new LocalLiveChannel()
      const ring = new AbsentRecentRing()
      const sampleLog = new PostgresSampleLog(config.log, {
        pool: writer,
        connection,
        clock,
        log,
        diskProblem: reserve.problem,
      })
      const ingest = new IngestReport(config.ingest, { sampleLog, clock, log, port: config.http.port })
      const aggregator = createAggregator(config.aggregator, {
        sampleLog,
        ingest,
        minuteStore: new PostgresMinuteStore(writer),
        live,
        ring,
        clock,
        log,
        registry,
      })
      const sealer = createHourSealer(config.aggregator, { pool: writer, clock, log, registry })
      const collector = createCollector(
        // What retention would drop at once is refused instead, with a reason.
        { ...config.collector, sampleAgeMsMax: Math.min(config.collector.sampleAgeMsMax, minutesKeptMs(config)) },
        { sampleLog, ingest, clock, log, registry, random: Math.random },
      )
      const queryApi = createQueryApi(config.query, {
        pool: reader,
        annotator,
        live,
        ring,
        clock,
        log,
        registry,
        dashboardDir,
        diskSpace: reserve.space,
      })
      const http = createHttpServer(config.http, {
        log,
        registry,
        plugins: [collector.plugin, queryApi.plugin],
        readiness: [aggregator.readiness, collector.readiness, reserve.problem],
      })
      for (const service of [reserve, sampleLog, ingest, sealer, aggregator, collector, queryApi, http])
        await start(service)
      url = http.url
      if (config.embedded.localAgent) {
        await start(createAgent(config.agent, { log, clock, registry, collectorUrl: () => http.url }))
      }
      goOn()
      progress.step('ready')
      progress.banner({ url, dataDir, serverId: config.embedded.localAgent ? config.agent.serverId : undefined })
    },
    async stop() {
      isStopping = true
      for (const service of started.toReversed()) {
        await service.stop().catch((error: unknown) => log.error({ err: error, service: service.name }, 'stop failed'))
      }
      for (const pool of pools) await pool.end()
      await server?.stop()
      if (url !== '') progress.step('stopped; everything that was acknowledged is kept')
    },
  }
}

/** The longest of any metric. */
function minutesKeptMs({ aggregator }: AllInOneConfig): number {
  const { retentionHours, retentionByMetric } = aggregator
  return Math.max(retentionHours, ...retentionByMetric.map(({ minuteHours }) => minuteHours)) * hourMs
}

/** Without its database the process is of no use: it ends, and whoever supervises it starts it anew. */
function failWhenItEnds(server: EmbeddedServer): void {
  void server.exited.then((lastWords) => {
    throw new Error(`PostgreSQL ended by itself: ${lastWords}`)
  })
}
