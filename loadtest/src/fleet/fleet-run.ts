/**
 * A fleet of services under the load of a fleet of agents, watched by readers: what `npm run distributed` and the fleet tests
 * have in common. The services reach the schema registry through a gate, so that it can become unreachable for them alone.
 *
 *   agents ──> collectors ──> Kafka ──> aggregators ──> PostgreSQL, Redis ──> query APIs <── final watch, checker
 */
import type { GeneratedFleet } from '../generated-fleet.ts'
import type { DeliveryLedger } from './delivery-ledger.ts'
import { DistributedFleet, type FleetSize } from './distributed-fleet.ts'
import type { FinalWatch } from './final-watch.ts'
import type { FleetCheckResult } from './fleet-checker.ts'
import type { GeneratedAgents } from './generated-agents.ts'
import { redisCommand } from './redis-command.ts'
import type { ServerAddresses } from './server-addresses.ts'
import { TcpGate } from './tcp-gate.ts'
import { WatchedLoad } from './watched-load.ts'

export interface FleetRunConfig extends FleetSize {
  readonly hosts: number
  readonly metrics: number
  readonly seed: number
  readonly servers: ServerAddresses
  readonly logDir: string
  readonly settings?: Readonly<Record<string, string>>
}

export class FleetRun {
  readonly services: DistributedFleet
  readonly agents: GeneratedAgents
  readonly watch: FinalWatch
  readonly ledger: DeliveryLedger
  readonly generated: GeneratedFleet
  readonly #load: WatchedLoad
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
    const servers = { ...config.servers, schemaRegistryUrl: deps.gate.url }
    this.services = new DistributedFleet({ ...config, servers }, deps)
    this.#load = new WatchedLoad(config, this.services)
    this.agents = this.#load.agents
    this.watch = this.#load.watch
    this.ledger = this.#load.ledger
    this.generated = this.#load.generated
  }

  /** Until all services are ready and the agents have begun. */
  async start(): Promise<void> {
    await this.services.start()
    this.#load.start()
  }

  /** For our services, and for good. */
  closeRegistry(): void {
    this.#registryGate.close()
  }

  async flushRedis(): Promise<void> {
    await redisCommand(this.#servers.redisUrl, 'FLUSHALL')
  }

  /** The agents end with the cell in progress; resolves when every batch is delivered. */
  async endLoad(bounds?: { deadlineMs: number }): Promise<void> {
    await this.#load.endLoad(bounds)
  }

  async check(bounds: { deadlineMs: number; signal?: AbortSignal }): Promise<FleetCheckResult> {
    return this.#load.check(bounds)
  }

  /** @returns a line for each service that did not stop as it should. */
  async stop(): Promise<string[]> {
    await this.#load.stop()
    const problems = await this.services.stop()
    this.#registryGate.close()
    return problems
  }
}
