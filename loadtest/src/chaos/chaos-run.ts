/**
 * One run: start, load, faults in all lanes, recovery, check, verdict.
 *
 *   start ──> load ─────────────────────────────────────────────────> last batches ──> all minutes closed ──> compared
 *              └──> faults of each lane, one after the other ──> recovery ──┘
 */
import { setTimeout as delay } from 'node:timers/promises'
import type { FleetCheckResult } from '../fleet/fleet-checker.ts'
import { WatchedLoad } from '../fleet/watched-load.ts'
import { batchSeconds } from '../generated-fleet.ts'
import { CatchUp } from './catch-up.ts'
import type { ChaosResult } from './chaos-report.ts'
import type { ChaosPhase, ChaosState } from './chaos-table.ts'
import type { ChaosWorld } from './chaos-world.ts'
import { type FaultKind, lanes } from './fault-kind.ts'
import { type ScheduledFault, scheduleOf } from './fault-schedule.ts'
import { hoursBackOf, retentionHours, type Sealings } from './sealed-hours.ts'
import type { EvidenceOf } from './store-evidence.ts'
import { StrangeHosts } from './strange-hosts.ts'
import type { Tally } from './tally.ts'

export interface ChaosRunConfig<World> {
  readonly form: string
  readonly kinds: readonly FaultKind<World>[]
  readonly seed: number
  readonly loadMs: number
  readonly hosts: number
  readonly metrics: number
  /** How long a server is away; each lane then breaks something once. By the seed if absent. */
  readonly outageMs?: number | undefined
}

export interface ChaosRunDeps<World> {
  readonly world: World
  readonly tally: Tally
  readonly say: (message: string) => void
}

/** One host in so many sends what it has 45 s late, so that closed minutes are merged into all the time. */
const laggardEvery = 8
const laggardLagMs = 45_000
/** Delivering what a fault held back. */
const deliverDeadlineMs = 240_000
/** Until the last minute is closed, 70 s after it began at least. */
const checkDeadlineMs = 150_000
/** Until agents have sent what they measured in the first 15 s, and it was taken. */
const firstBatchDeadlineMs = 120_000
/** From the loss of commits until the log is replayed. */
const replayMsMax = 30_000
const outageShare = 0.12
/** After an outage, log-minutes completed in a minute. */
const catchUpSpeedMin = 5
const lookEveryMs = 250
const outageMsLeast = 4_000
const outageMsMost = 120_000
const problemsMax = 40
const evidenceMax = 3

export class ChaosRun<World extends ChaosWorld> {
  readonly #config: ChaosRunConfig<World>
  readonly #deps: ChaosRunDeps<World>
  readonly #load: WatchedLoad
  readonly #strangers: StrangeHosts
  /** Ends everything. */
  readonly #cut = new AbortController()
  /** Ends the faults. */
  readonly #calm = new AbortController()
  readonly #problems: string[] = []
  readonly #catchUp = new CatchUp()
  readonly #firstBatch = Promise.withResolvers<void>()
  #phase: ChaosPhase = 'starting'
  /** When the first batch was acknowledged. */
  #startedMs = Date.now()
  #check: FleetCheckResult | undefined
  #sealings: Sealings | undefined
  #isJudged = false
  #evidenceCount = 0

  constructor(config: ChaosRunConfig<World>, deps: ChaosRunDeps<World>) {
    const { world } = deps
    this.#config = config
    this.#deps = deps
    const lagMsOf = (host: number): number => (host % laggardEvery === laggardEvery - 1 ? laggardLagMs : 0)
    const late = { hoursBackOf: (host: number) => hoursBackOf(host, world.hoursBack), retentionHours }
    const onProblem = (minute: EvidenceOf): void => void this.#findEvidence(minute)
    this.#load = new WatchedLoad(
      { ...config, ...late, lagMsOf, onAcknowledged: () => this.#firstBatch.resolve() },
      { collectorUrls: world.collectorUrls, queryUrls: world.queryUrls, onProblem },
    )
    const metricIds = this.#load.generated.series.map(({ metricId }) => metricId)
    this.#strangers = new StrangeHosts(metricIds, { collectorUrls: world.collectorUrls, cut: this.#cut.signal })
    this.#cut.signal.addEventListener('abort', () => this.#calm.abort())
  }

  get problems(): readonly string[] {
    return [...this.storeProblems, ...this.readerProblems]
  }

  /** Of what is stored in the end, and of processes that ended or did not recover. */
  get storeProblems(): readonly string[] {
    return [...this.#problems, ...this.#deps.world.keeper.problems]
  }

  /** What readers were told was final, and was not. */
  get readerProblems(): readonly string[] {
    return this.#load.watch.report().problems
  }

  /** It came to its end, and was compared. */
  get isJudged(): boolean {
    return this.#isJudged
  }

  state(): ChaosState {
    return {
      phase: this.#phase,
      nowMs: Date.now(),
      startedMs: this.#startedMs,
      endsMs: this.#startedMs + this.#config.loadMs,
      parts: this.#deps.world.parts(),
      tally: this.#deps.tally,
      totals: this.#load.ledger.totals(),
      samplesPerBatch: this.#samplesPerBatch,
      completeThroughMs: this.#load.watch.report().completeThroughMs,
      problemCount: this.problems.length,
    }
  }

  result(): ChaosResult {
    const { form, seed, hosts, metrics, loadMs } = this.#config
    return {
      ...{ form, seed, hosts, metrics, loadMs, startedMs: this.#startedMs },
      tally: this.#deps.tally,
      totals: this.#load.ledger.totals(),
      samplesPerBatch: this.#samplesPerBatch,
      check: this.#check,
      sealings: this.#sealings,
      watch: this.#load.watch.report(),
      strangeHosts: this.#strangers.count,
      caughtUp: this.#catchUp.results,
      problems: this.problems,
    }
  }

  /** Until all is ready and the agents have begun. */
  async start(): Promise<void> {
    await this.#deps.world.start()
    this.#load.start()
    this.#phase = 'waiting for the first batch'
  }

  /** While it starts: ends that. @returns what it then waits for. */
  abandonStart(): readonly string[] {
    return this.#phase === 'starting' ? this.#deps.world.abandonStart() : []
  }

  /** Faults, recovery, verdict; `problems` has what was wrong. Ends early when it is stopped. */
  async play(): Promise<void> {
    const { say, world } = this.#deps
    if (!(await this.#awaitFirstBatch())) return
    this.#startedMs = Date.now()
    this.#phase = 'breaking'
    const timer = setTimeout(() => this.#calm.abort(), this.#config.loadMs)
    const looking = setInterval(() => this.#lookBehind(), lookEveryMs)
    this.#cut.signal.addEventListener('abort', () => clearInterval(looking))
    await Promise.all(lanes.map((lane) => this.#playLane(lane))).finally(() => clearTimeout(timer))
    if (this.#config.outageMs !== undefined) await this.#loadLeft()
    if (this.#isCut) return
    this.#phase = 'recovering'
    say('no more faults; everything is to recover')
    await world.recover().catch((error: Error) => this.#note(`it did not recover: ${error.message}`))
    this.#phase = 'delivering'
    say('everything is ready again; the agents deliver what they still have')
    await this.#load.endLoad({ deadlineMs: deliverDeadlineMs }).catch((error: Error) => this.#note(error.message))
    if (this.#isCut) return
    this.#phase = 'comparing'
    say('waiting for the last minute to close, then comparing all of them')
    await this.#judge()
  }

  /** Everything that runs; also in the middle. */
  async stop(): Promise<void> {
    this.#cut.abort()
    await this.#load.stop()
    for (const problem of await this.#deps.world.stop()) this.#note(problem)
  }

  get #isCut(): boolean {
    return this.#cut.signal.aborted
  }

  get #samplesPerBatch(): number {
    return this.#config.metrics * batchSeconds
  }

  /** False when there will be none. */
  async #awaitFirstBatch(): Promise<boolean> {
    const waiting = new AbortController()
    const signal = AbortSignal.any([this.#cut.signal, waiting.signal])
    const late = delay(firstBatchDeadlineMs, false, { signal }).catch(() => false)
    const hasCome = await Promise.race([this.#firstBatch.promise.then(() => true), late])
    waiting.abort()
    if (!hasCome && !this.#isCut) this.#note(`no batch was acknowledged within ${firstBatchDeadlineMs} ms of the start`)
    return hasCome
  }

  async #playLane(lane: (typeof lanes)[number]): Promise<void> {
    const { kinds, seed } = this.#config
    // What an outage costs is measured against minutes that were complete before it.
    while (this.#config.outageMs !== undefined && this.#load.watch.report().completeThroughMs === 0)
      if (!(await this.#sleep(lookEveryMs))) return
    for (const fault of scheduleOf(kinds, { lane, seed })) {
      if (!(await this.#sleep(fault.pauseMs))) return
      await this.#playFault(fault)
      if (this.#calm.signal.aborted || this.#config.outageMs !== undefined) return
    }
  }

  async #playFault({ kind, random }: ScheduledFault<World>): Promise<void> {
    const { world, tally, say } = this.#deps
    const outageMsMax = Math.min(outageMsMost, Math.max(outageMsLeast, this.#config.loadMs * outageShare))
    try {
      const hasHappened = await kind.run({
        ...{ world, tally, random, outageMsMax, strangers: this.#strangers, signal: this.#calm.signal },
        serverOutageMs: this.#config.outageMs,
        onServerBack: () => this.#catchUp.serverIsBack(Date.now()),
        onCommitsLost: () => this.#load.watch.forgive(replayMsMax),
        say: (message) => say(`${kind.name.padEnd(32)} ${message}`),
        sleep: async (durationMs) => void (await this.#sleep(durationMs)),
      })
      if (hasHappened) tally.fault(kind.name)
    } catch (error) {
      if (!this.#isCut) this.#note(`${kind.name}: ${(error as Error).message}`)
    }
  }

  /** Of the first problems only: the rest follows from them. */
  async #findEvidence(minute: EvidenceOf): Promise<void> {
    if (this.#evidenceCount++ >= evidenceMax) return
    const { say, world } = this.#deps
    const lines = await world.evidence?.(minute).catch((error: Error) => [`there is no evidence: ${error.message}`])
    for (const line of lines ?? []) say(`${minute.serverId} ${minute.metricId} ${line}`)
  }

  async #judge(): Promise<void> {
    const { world } = this.#deps
    this.#check = await this.#load.check({ deadlineMs: checkDeadlineMs, signal: this.#cut.signal })
    if (this.#isCut) return
    this.#sealings = await world.sealings()
    const strange = await this.#strangers.check({ queryUrls: world.queryUrls, deadlineMs: 30_000 })
    for (const problem of [...this.#check.problems, ...strange, ...this.#load.ledger.refusals]) this.#note(problem)
    this.#phase = 'compared'
    this.#isJudged = true
  }

  /** Where each lane broke something once, the rest of the time shows how it goes on. */
  async #loadLeft(): Promise<void> {
    await this.#sleep(this.#startedMs + this.#config.loadMs - Date.now())
    const slow = this.#catchUp.results.find(({ speed }) => speed < catchUpSpeedMin)
    if (slow !== undefined)
      this.#note(`${slow.speed.toFixed(1)} log-minutes a minute were completed after an outage, not ${catchUpSpeedMin}`)
    if (this.#catchUp.isBehind) this.#note('what an outage had left was not completed before the end of the load')
  }

  #lookBehind(): void {
    this.#catchUp.observe(Date.now(), this.#load.watch.report().completeThroughMs)
  }

  #note(problem: string): void {
    if (this.#problems.length < problemsMax) this.#problems.push(problem)
  }

  /** False when the faults are to end. */
  async #sleep(durationMs: number): Promise<boolean> {
    const { signal } = this.#calm
    if (durationMs > 0) await delay(durationMs, undefined, { signal }).catch(() => {})
    return !signal.aborted
  }
}
