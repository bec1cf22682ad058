/**
 * Generated agents that send to collectors, readers that watch what the query APIs call final, a ledger of every batch, and the
 * exact check in the end: whatever the services are, in one process or many.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { GeneratedFleet } from '../generated-fleet.ts'
import { sampleOf } from '../load-plan.ts'
import { DeliveryLedger } from './delivery-ledger.ts'
import { FinalWatch, type FinalWatchDeps } from './final-watch.ts'
import { checkFleetExactly, type FleetCheckResult } from './fleet-checker.ts'
import { type Acknowledged, GeneratedAgents } from './generated-agents.ts'

export interface WatchedLoadConfig {
  readonly hosts: number
  readonly metrics: number
  readonly seed: number
  /** How much later than it is due a host sends everything, ms. */
  readonly lagMsOf?: (host: number) => number
  /** What each host kept of the time before, ms. */
  readonly backlogMs?: number
  /** For how many hours before a host sends late data all the time. */
  readonly hoursBackOf?: (host: number) => number
  /** What the services run with, if the run is to know of it. */
  readonly retentionHours?: number | undefined
  readonly onAcknowledged?: (batch: Acknowledged) => void
  /** Of all hosts together, at a time. */
  readonly requestsMax?: number
}

export interface WatchedLoadDeps extends Pick<FinalWatchDeps, 'onProblem'> {
  readonly collectorUrls: () => readonly string[]
  readonly queryUrls: () => readonly string[]
}

const usualRequestsMax = 64
const watchedHosts = 8
const watchEveryMs = 250
/** The aggregators' default. */
const latenessMs = 10_000

export class WatchedLoad {
  readonly agents: GeneratedAgents
  readonly watch: FinalWatch
  readonly ledger = new DeliveryLedger()
  readonly generated: GeneratedFleet
  readonly #config: WatchedLoadConfig
  readonly #deps: WatchedLoadDeps

  constructor(config: WatchedLoadConfig, deps: WatchedLoadDeps) {
    const { hosts, metrics, seed, requestsMax = usualRequestsMax } = config
    const { ledger } = this
    this.#config = config
    this.#deps = deps
    this.generated = new GeneratedFleet({ hostCount: hosts, metricCount: metrics, seed })
    const agents = new GeneratedAgents(
      { ...config, fleet: this.generated, requestsMax },
      { ledger, collectorUrls: deps.collectorUrls, random: Math.random },
    )
    this.agents = agents
    this.watch = new FinalWatch(
      {
        ...config,
        fleet: this.generated,
        hosts: sampleOf(hosts, { size: watchedHosts }),
        latenessMs,
        everyMs: watchEveryMs,
      },
      { ...deps, ledger, startMs: () => agents.startMs },
    )
  }

  start(): void {
    this.agents.start()
    this.watch.start()
  }

  /** The agents end with the cell in progress; resolves when every batch is delivered. @throws when they are not in time. */
  async endLoad({ deadlineMs = Number.POSITIVE_INFINITY }: { deadlineMs?: number } = {}): Promise<void> {
    const delivered = new AbortController()
    const late = deadlineMs < Number.POSITIVE_INFINITY ? [lateAfter(deadlineMs, delivered.signal)] : []
    await Promise.race([this.agents.finish(), ...late]).finally(() => delivered.abort())
  }

  async check(bounds: { deadlineMs: number; signal?: AbortSignal }): Promise<FleetCheckResult> {
    return checkFleetExactly({
      ...bounds,
      fleet: this.generated,
      ledger: this.ledger,
      retentionHours: this.#config.retentionHours,
      startMs: this.agents.firstMs,
      endMs: this.agents.endMs,
      queryUrls: this.#deps.queryUrls,
    })
  }

  async stop(): Promise<void> {
    await Promise.all([this.watch.stop(), this.agents.stop()])
  }
}

async function lateAfter(deadlineMs: number, signal: AbortSignal): Promise<void> {
  const isLate = await delay(deadlineMs, true, { signal }).catch(() => false)
  if (isLate) throw new Error(`after ${deadlineMs} ms there are batches that no collector acknowledged`)
}
