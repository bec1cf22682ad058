/**
 * A fleet of services under the load of a fleet of agents, watched by readers: what `npm run distributed` and the fleet tests
 * have in common. The services reach the schema registry through a gate, so that it can become unreachable for them alone.
 *
 *   agents ──> collectors ──> Kafka ──> aggregators ──> PostgreSQL, Redis ──> query APIs <── final watch, checker
 */
import { GeneratedFleet } from '../generated-fleet.ts'
import { sampleOf } from '../load-plan.ts'
import { DeliveryLedger } from './delivery-ledger.ts'
import { DistributedFleet, type FleetSize } from './distributed-fleet.ts'
import { FinalWatch } from './final-watch.ts'
import { checkFleetExactly, type FleetCheckResult } from './fleet-checker.ts'
import { GeneratedAgents } from './generated-agents.ts'
import { redisCommand } from './redis-command.ts'
import type { ServerAddresses } from './server-addresses.ts'
import { TcpGate } from './tcp-gate.ts'

export interface FleetRunConfig extends FleetSize {
  readonly hosts: number
  readonly metrics: number
  readonly seed: number
  readonly servers: ServerAddresses
  readonly logDir: string
  readonly settings?: Readonly<Record<string, string>>
}

const requestsMax = 64
const watchedHosts = 8
const watchEveryMs = 250
/** The aggregators' default. */
const latenessMs = 10_000

export class FleetRun {
  readonly services: DistributedFleet
  readonly agents: GeneratedAgents
  readonly watch: FinalWatch
  readonly ledger = new DeliveryLedger()
  readonly generated: GeneratedFleet
  readonly #registryGate: TcpGate
  readonly #servers: ServerAddresses

  /** Opens the gate; nothing else runs yet. */
  static async prepare(
    config: FleetRunConfig,
    deps: { onProgress?: (message: string) => void } = {},
  ): Promise<FleetRun> {
    const gate = new TcpGate(config.servers.schemaRegistryUrl)
    await gate.open()
    return new FleetRun(config, { ...deps, gate })
  }

  private constructor(config: FleetRunConfig, deps: { gate: TcpGate; onProgress?: (message: string) => void }) {
    this.#registryGate = deps.gate
    this.#servers = config.servers
    this.services = new DistributedFleet(
      { ...config, servers: { ...config.servers, schemaRegistryUrl: deps.gate.url } },
      deps,
    )
    this.generated = new GeneratedFleet({ hostCount: config.hosts, metricCount: config.metrics, seed: config.seed })
    const { ledger, services } = this
    this.agents = new GeneratedAgents(
      { fleet: this.generated, requestsMax },
      { ledger, collectorUrls: services.collectorUrls, random: Math.random },
    )
    this.watch = new FinalWatch(
      {
        fleet: this.generated,
        hosts: sampleOf(config.hosts, { size: watchedHosts }),
        latenessMs,
        everyMs: watchEveryMs,
      },
      { ledger, startMs: () => this.agents.startMs, queryUrls: services.queryUrls },
    )
  }

  /** Until all services are ready and the agents have begun. */
  async start(): Promise<void> {
    await this.services.start()
    this.agents.start()
    this.watch.start()
  }

  /** For our services, and for good. */
  closeRegistry(): void {
    this.#registryGate.close()
  }

  async flushRedis(): Promise<void> {
    await redisCommand(this.#servers.redisUrl, 'FLUSHALL')
  }

  /** The agents end with the cell in progress; resolves when every batch is delivered. */
  async endLoad(): Promise<void> {
    await this.agents.finish()
  }

  async check(bounds: { deadlineMs: number; signal?: AbortSignal }): Promise<FleetCheckResult> {
    return checkFleetExactly({
      ...bounds,
      fleet: this.generated,
      ledger: this.ledger,
      startMs: this.agents.startMs,
      endMs: this.agents.endMs,
      queryUrls: this.services.queryUrls,
    })
  }

  /** @returns a line for each service that did not stop as it should. */
  async stop(): Promise<string[]> {
    await Promise.all([this.watch.stop(), this.agents.stop()])
    const problems = await this.services.stop()
    this.#registryGate.close()
    return problems
  }
}
