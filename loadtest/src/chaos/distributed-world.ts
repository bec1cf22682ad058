/**
 * The distributed form, to be broken: servers of its own, services that reach PostgreSQL through a gate, collectors that agents
 * reach through a gate each, aggregators with failpoints.
 *
 *   agents ──gate──> collectors ──> Kafka ──> aggregators ──gate──> PostgreSQL <──gate── query APIs
 */
import { DistributedFleet, type FleetSize } from '../fleet/distributed-fleet.ts'
import type { ServiceProcess } from '../fleet/service-process.ts'
import { TcpGate } from '../fleet/tcp-gate.ts'
import type { ChaosPart, ChaosWorld, Door } from './chaos-world.ts'
import { Keeper, type KeeperDeps } from './keeper.ts'
import { OwnServers } from './own-servers.ts'
import { readSealings, type Sealings, sealingSettings } from './sealed-hours.ts'
import { type EvidenceOf, storeEvidence } from './store-evidence.ts'

export interface DistributedWorldConfig extends FleetSize {
  /** Of everything: data and logs. */
  readonly folder: string
  /** Of Kafka: 1, or 3 with as many replicas. */
  readonly brokers?: number
  /** How long an aggregator stands still; the group misses it after 10 s. */
  readonly pauseMs: number
}

/** Any one of three brokers may be away. */
const replicated = { MINUTELY_KAFKA_REPLICATION: '3', MINUTELY_KAFKA_MIN_INSYNC_REPLICAS: '2' }

export class DistributedWorld implements ChaosWorld {
  readonly keeper: Keeper
  /** The oldest is past the retention: collectors, who know nothing of it, take it. */
  readonly hoursBack = 4
  readonly servers: OwnServers
  readonly #config: DistributedWorldConfig
  readonly #deps: KeeperDeps
  #fleet: DistributedFleet | undefined
  #postgresGate: TcpGate | undefined
  #doors: readonly Door[] = []
  #isAbandoned = false

  constructor(config: DistributedWorldConfig, deps: KeeperDeps) {
    this.#config = config
    this.#deps = deps
    this.keeper = new Keeper(deps)
    this.servers = new OwnServers(config.folder, { brokers: config.brokers ?? 1 })
  }

  get pauseMs(): number {
    return this.#config.pauseMs
  }

  get doors(): readonly Door[] {
    return this.#doors
  }

  get aggregators(): readonly ServiceProcess[] {
    return this.#fleet?.aggregators ?? []
  }

  get queryApis(): readonly ServiceProcess[] {
    return this.#fleet?.queryApis ?? []
  }

  /** Between our services and PostgreSQL. */
  get postgresGate(): TcpGate {
    if (this.#postgresGate === undefined) throw new Error('BUG: the gate is asked for before the start')
    return this.#postgresGate
  }

  readonly collectorUrls = (): readonly string[] => this.#doors.map(({ gate }) => gate.url)
  readonly queryUrls = (): readonly string[] => this.queryApis.map(({ url }) => url)

  parts(): readonly ChaosPart[] {
    const servers = this.servers.all.map(({ kind, state }) => ({ name: kind, isUp: state === 'running' }))
    return [...this.#services().map(({ name, state }) => ({ name, isUp: state === 'running' })), ...servers]
  }

  evidence(minute: EvidenceOf): Promise<readonly string[]> {
    return storeEvidence(this.servers.addresses.postgresUrl, minute)
  }

  sealings(): Promise<Sealings> {
    return readSealings(this.aggregators.map(({ logFile }) => logFile))
  }

  async start(): Promise<void> {
    const { say } = this.#deps
    say('starting Kafka, schema registry, Redis and PostgreSQL')
    await this.servers.start({ say })
    if (this.#isAbandoned) throw new Error('stopped while it was starting')
    this.#postgresGate = new TcpGate(this.servers.addresses.postgresUrl)
    await this.#postgresGate.open()
    const servers = { ...this.servers.addresses, postgresUrl: this.#postgresGate.url }
    const { folder } = this.#config
    const aggregatorPreload = 'loadtest/src/chaos/failpoints.ts'
    say('starting the services')
    const settings = { ...sealingSettings, ...(this.servers.kafka.brokers === 1 ? {} : replicated) }
    this.#fleet = new DistributedFleet({ ...this.#config, servers, settings, logDir: folder, aggregatorPreload })
    this.#doors = this.#fleet.collectors.map((process) => ({ process, gate: new TcpGate(() => process.url) }))
    for (const { gate } of this.#doors) await gate.open()
    await this.#fleet.start()
    this.keeper.mind(this.#services())
  }

  abandonStart(): readonly string[] {
    this.#isAbandoned = true
    const running = this.parts().filter(({ isUp }) => isUp)
    // Rejections are those of the start.
    void this.#fleet?.stop()
    void this.servers.stop()
    return [...new Set([...this.servers.starting, ...running.map(({ name }) => name)])]
  }

  async recover(): Promise<void> {
    for (const gate of this.#gates()) {
      gate.reopen()
      gate.cutNext({ when: 'before', times: 0 })
    }
    await this.servers.recover()
    await this.keeper.recover(this.#services())
  }

  async stop(): Promise<readonly string[]> {
    this.keeper.stop()
    const problems = (await this.#fleet?.stop()) ?? []
    await this.#fleet?.kill()
    for (const gate of this.#gates()) gate.close()
    await this.servers.stop()
    return problems
  }

  #services(): ServiceProcess[] {
    return [...(this.#fleet?.collectors ?? []), ...this.aggregators, ...this.queryApis]
  }

  #gates(): TcpGate[] {
    return [...this.#doors.map(({ gate }) => gate), ...(this.#postgresGate === undefined ? [] : [this.#postgresGate])]
  }
}
