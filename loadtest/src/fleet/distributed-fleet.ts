/**
 * The distributed form on one machine: so many collectors, aggregators and query APIs, each a process of its own, over one
 * Kafka, schema registry, Redis and PostgreSQL. A fleet has names of its own in all of them, so several may share the servers.
 *
 *   aggregators ──> collectors, query APIs      started in this order, stopped in the reverse
 */
import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { type ServiceKind, settingsOf } from './fleet-settings.ts'
import type { ServerAddresses } from './server-addresses.ts'
import { ServiceProcess } from './service-process.ts'

export interface FleetSize {
  readonly collectors: number
  readonly aggregators: number
  readonly queryApis: number
}

export interface DistributedFleetConfig extends FleetSize {
  readonly servers: ServerAddresses
  readonly logDir: string
  /** For every service that knows them. */
  readonly settings?: Readonly<Record<string, string>>
  /** A module for each aggregator to load first, below the root of the repository. */
  readonly aggregatorPreload?: string
  /** The same for every service that has no other. */
  readonly preload?: string
}

const readyDeadlineMs = 60_000
const mains: Readonly<Record<ServiceKind, string>> = {
  collector: 'collector-api/src/main.ts',
  aggregator: 'aggregator/src/main.ts',
  'query-api': 'query-api/src/main.ts',
}

export class DistributedFleet {
  readonly collectors: readonly ServiceProcess[]
  readonly aggregators: readonly ServiceProcess[]
  readonly queryApis: readonly ServiceProcess[]
  /** Begins the names of its topics, groups and keys. */
  readonly prefix: string
  readonly #onProgress: (message: string) => void
  #isStopping = false

  constructor(config: DistributedFleetConfig, deps: { onProgress?: (message: string) => void } = {}) {
    this.prefix = `fleet-${randomBytes(4).toString('hex')}`
    this.#onProgress = deps.onProgress ?? (() => {})
    const make = (kind: ServiceKind, count: number): ServiceProcess[] =>
      Array.from({ length: count }, (_, index) => {
        const name = `${kind}-${index + 1}`
        const settings = settingsOf(kind, { ...config, prefix: this.prefix })
        const preload = (kind === 'aggregator' ? config.aggregatorPreload : undefined) ?? config.preload
        const logFile = join(config.logDir, `${name}.log`)
        return new ServiceProcess({ name, main: mains[kind], settings, logFile, ...(preload && { preload }) })
      })
    this.collectors = make('collector', config.collectors)
    this.aggregators = make('aggregator', config.aggregators)
    this.queryApis = make('query-api', config.queryApis)
  }

  /** Until all of them are ready. */
  async start(): Promise<void> {
    const [first, ...others] = this.aggregators
    // The first one brings the database to its newest form; the others would only wait for it.
    for (const group of [[first], others, [...this.collectors, ...this.queryApis]]) {
      await Promise.all(group.map((one) => one && this.startOne(one)))
    }
  }

  /** Also one that was stopped or killed: anew, on another port. */
  async startOne(one: ServiceProcess): Promise<void> {
    if (this.#isStopping) throw new Error('stopped while it was starting')
    await one.start()
    this.#onProgress(`${one.name} listens on ${one.url} (pid ${one.pid})`)
    await one.awaitReady(readyDeadlineMs)
  }

  /** SIGTERM for all that run. @returns a line for each that did not stop as it should. */
  async stop(): Promise<string[]> {
    this.#isStopping = true
    const problems: string[] = []
    for (const group of [[...this.queryApis, ...this.collectors], this.aggregators]) {
      const running = group.filter(({ state }) => state === 'running' || state === 'paused')
      await Promise.all(
        running.map(async (one) => {
          const { exitCode, tookMs } = await one.stop()
          if (exitCode === 0 || !one.hasListened) return
          problems.push(`${one.name} ended with ${exitCode} after ${Math.round(tookMs)} ms:\n${one.lastWords}`)
        }),
      )
    }
    return problems
  }

  /** For a last resort: what does not stop. */
  async kill(): Promise<void> {
    const all = [...this.queryApis, ...this.collectors, ...this.aggregators]
    await Promise.all(all.filter(({ state }) => state === 'running' || state === 'paused').map((one) => one.kill()))
  }

  /** Dead ones included, as behind a load balancer that does not know yet. */
  readonly collectorUrls = (): string[] => this.collectors.map(({ url }) => url)
  readonly queryUrls = (): string[] => this.queryApis.map(({ url }) => url)
}
