/**
 * One seed, from the first sample to the verdict. Composes the processes, makes trouble while faults last, lets everything
 * drain, and checks.
 *
 *   start ── agents send, faults happen ── faults end ── all is read and closed ── verdict
 */
import { createAgentMetrics } from '@minutely/agent/metrics'
import { createCollectorMetrics } from '@minutely/collector-api/metrics'
import { createLogger } from '@minutely/lib/logging'
import type { LogPartition, SampleLog } from '@minutely/lib/sample-log/sample-log'
import { minuteMs } from '@minutely/schema/limits'
import { Registry } from 'prom-client'
import { drawFaultPlan, type FaultPlan } from './fault-plan.ts'
import { SampleLedger } from './sample-ledger.ts'
import { startAgent } from './sim-agent.ts'
import { startAggregator } from './sim-aggregator.ts'
import { SimBadRecords } from './sim-bad-records.ts'
import { checkRun } from './sim-checker.ts'
import { SimCollector } from './sim-collector.ts'
import { type SealCounts, SimDatabase } from './sim-database.ts'
import { embeddedLog } from './sim-embedded-log.ts'
import { SimGroup } from './sim-group.ts'
import { type SimLogDeps, SimSampleLog } from './sim-log.ts'
import { SimLogStorage } from './sim-log-storage.ts'
import { SimProcess } from './sim-process.ts'
import { SimReader } from './sim-reader.ts'
import { SimRedis } from './sim-redis.ts'
import { repairRing } from './sim-ring-repair.ts'
import { completeThroughMs } from './sim-tables.ts'
import { dieOf, makeTrouble } from './sim-trouble.ts'
import { clockText, SimWorld, simStartMs } from './sim-world.ts'
import { soundVariant, type Variant } from './variants.ts'

export interface SeedResult {
  readonly seed: number
  /** Empty: all is right. */
  readonly problems: readonly string[]
  readonly traceHash: number
  readonly events: number
  readonly acknowledged: number
  /** Compared in the end. */
  readonly seriesMinutes: number
  /** Minutes of series that the reader was told are final. */
  readonly finals: number
  readonly seals: SealCounts
}

export interface SeedOptions {
  readonly variant?: Variant
  readonly onEvent?: (line: string) => void
  readonly faults?: Partial<FaultPlan>
}

const collectorCount = 2
const series = [
  { metricId: 'cpu', labels: {} },
  { metricId: 'disk', labels: {} },
]
/** After the faults, for what is on its way to be answered, read and closed. */
const drainMsMax = 15 * minuteMs
const drainStepMs = 5_000

const log = createLogger({ level: 'silent', format: 'json' })
const collectorMetrics = createCollectorMetrics(new Registry())
const agentMetrics = createAgentMetrics(new Registry(), { queue: () => ({ bytes: 0, batches: 0 }) })

export async function runSeed(seed: number, options: SeedOptions = {}): Promise<SeedResult> {
  const run = new SimRun(seed, options)
  return run.toItsEnd()
}

export class SimRun {
  readonly world: SimWorld
  readonly ledger = new SampleLedger()
  readonly storage: SimLogStorage
  readonly group: SimGroup
  readonly database: SimDatabase
  readonly redis: SimRedis
  readonly badRecords: SimBadRecords
  readonly reader: SimReader
  readonly collectors: SimCollector[] = []
  readonly agents: SimProcess[] = []
  readonly aggregators: SimProcess[] = []
  /** Partitions of a topic that a collector which starts now routes to. */
  partitionCount: number
  readonly #seed: number
  readonly #variant: Variant
  #starts = 0

  constructor(seed: number, { variant = soundVariant, onEvent, faults }: SeedOptions) {
    this.#seed = seed
    this.#variant = variant
    const plan = { ...drawFaultPlan(seed), ...variant.faults, ...faults }
    const world = new SimWorld(seed, plan, onEvent)
    this.world = world
    this.partitionCount = plan.partitionCount
    this.storage = new SimLogStorage(world)
    this.createPartitions(plan.partitionCount)
    this.group = new SimGroup(world, this.storage)
    this.database = new SimDatabase(world)
    this.redis = new SimRedis(world)
    const { storage, group, database, redis } = this
    this.badRecords = new SimBadRecords({ world, storage, group, database })
    const process = new SimProcess('reader', world)
    this.reader = new SimReader({ world, process, ledger: this.ledger, database, storage, redis })
    // The embedded form has no ring.
    if (!plan.embedded) void repairRing({ database, redis, process: new SimProcess('repair', world) })
    void this.reader.run()
    for (let index = 0; index < collectorCount && !plan.embedded; index++) this.startCollector(index)
    for (let index = 0; index < plan.aggregatorCount; index++) this.startAggregator(index)
    for (let index = 0; index < plan.serverCount; index++) this.startAgent(index)
  }

  async toItsEnd(): Promise<SeedResult> {
    const { world, ledger } = this
    makeTrouble(this)
    await world.clock.advance(Math.max(world.faults.sendingMs, world.faults.faultyMs) + minuteMs)
    const drained = await this.#drain()
    const problems = [...this.reader.problems, ...(drained ?? []), ...checkRun(this)]
    return {
      seed: this.#seed,
      problems,
      traceHash: world.traceHash >>> 0,
      events: world.eventCount,
      acknowledged: ledger.acknowledgedCount,
      seriesMinutes: [...ledger.minutes].length,
      finals: this.reader.finalCount,
      seals: this.database.seals,
    }
  }

  /** @returns what never came to its end. */
  async #drain(): Promise<string[] | undefined> {
    const { world, database } = this
    const beganAtMs = world.nowMs
    // What is sent again meanwhile may be of minutes that are not over yet, by a host whose clock is ahead.
    const isOpen = (): boolean => completeThroughMs(database) < Math.max(beganAtMs, this.#acknowledgedThroughMs())
    do {
      while (isOpen()) {
        if (world.nowMs > beganAtMs + drainMsMax) {
          return [`is stuck: complete through ${clockText(completeThroughMs(database))} at ${clockText(world.nowMs)}`]
        }
        await world.clock.advance(drainStepMs)
      }
      // Late minutes are held for a while.
      await world.clock.advance(3 * drainStepMs)
    } while (isOpen())
    return undefined
  }

  /** The end of the last minute of which anything was acknowledged. */
  #acknowledgedThroughMs(): number {
    let throughMs = 0
    for (const { minuteMs: atMs, acknowledgedAtMs } of this.ledger.minutes) {
      if (acknowledgedAtMs.some((at) => at !== Number.POSITIVE_INFINITY))
        throughMs = Math.max(throughMs, atMs + minuteMs)
    }
    return throughMs
  }

  createPartitions(count: number): void {
    const isOne = this.world.faults.topicCount === 1
    for (const topic of isOne ? ['samples'] : series.map(({ metricId }) => `samples.${metricId}`)) {
      for (let partition = 0; partition < count; partition++) this.storage.create(topic, partition)
    }
  }

  startCollector(index: number): void {
    this.#collect(index, this.#process('collector', index))
  }

  /** In the embedded form the same process collects. */
  startAggregator(index: number): void {
    const { embedded } = this.world.faults
    const process = this.#process(embedded ? 'embedded' : 'aggregator', index)
    if (embedded) this.#collect(index, process)
    const { world, database, redis } = this
    this.aggregators[index] = process
    const die = (record: LogPartition & { readonly position: number }): void => dieOf(record, index, this)
    const sampleLog = this.#log(process, die)
    startAggregator({ world, process, sampleLog, database, redis, log, variant: this.#variant })
  }

  #collect(index: number, process: SimProcess): void {
    const { world, ledger } = this
    const sampleLog = this.#log(process)
    this.collectors[index] = new SimCollector({ world, process, sampleLog, ledger, log, metrics: collectorMetrics })
  }

  #log(process: SimProcess, die?: SimLogDeps['die']): SampleLog {
    const { world, storage, group, database, partitionCount } = this
    const { trustsPositions } = this.#variant
    const deps = { world, storage, group, process, partitionCount, trustsPositions, ...(die && { die }) }
    return world.faults.embedded ? embeddedLog({ ...deps, database }) : new SimSampleLog(deps)
  }

  startAgent(index: number): void {
    const { world, ledger } = this
    const process = this.#process('agent', index, world.faults.hostSkewsMs[index])
    this.agents[index] = process
    const deps = { world, process, ledger, series, collectors: () => this.collectors, log, metrics: agentMetrics }
    startAgent(`web-${index}`, simStartMs + world.faults.sendingMs, deps)
  }

  #process(role: string, index: number, skewMs?: number): SimProcess {
    const { world } = this
    const max = world.faults.processSkewMsMax
    const name = `${role}-${index}.${this.#starts++}`
    return new SimProcess(name, world, skewMs ?? world.random.between(-max, max))
  }
}
