/**
 * The faults of a run, spread over its load, each with what it did for the report. Offsets are shares of the load's time.
 *
 *   0        .15              .35        .5 (and pauseS later)     .7       1
 *   |---------|----------------|----------|------------------------|--------|
 *          kill one     pause another   registry gone        Redis flushed
 */
import { setTimeout as delay } from 'node:timers/promises'
import type { DistributedOptions } from './distributed-options.ts'
import type { FleetRun } from './fleet-run.ts'
import { flushAndAwaitRefill, type RingRefill } from './ring-refill.ts'
import type { ServiceProcess } from './service-process.ts'
import { awaitTakeOver, partitionsOf } from './take-over.ts'

export interface FaultReport {
  readonly fault: string
  readonly atMs: number
  /** Until the rest read every partition of the one that was lost. */
  readonly takenOverInMs?: number
  /** Until the ring was whole again. */
  readonly refill?: RingRefill
}

export interface FaultDeps {
  readonly run: FleetRun
  readonly signal: AbortSignal
  readonly say: (message: string) => void
}

const takeOverDeadlineMs = 120_000
const refillDeadlineMs = 900_000
const retryMs = 500
const askedHosts = 20

export class Faults {
  readonly reports: FaultReport[] = []
  readonly #options: DistributedOptions
  readonly #deps: FaultDeps

  constructor(options: DistributedOptions, deps: FaultDeps) {
    this.#options = options
    this.#deps = deps
  }

  /** Resolves when all are over, or at once when the signal aborts. Rejects when nobody takes over. */
  async play(durationMs: number): Promise<void> {
    const { run } = this.#deps
    const { mustKillOne, pauseS, mustStopRegistry, mustFlushRedis } = this.#options
    const [first, ...others] = run.services.aggregators
    const paused = mustKillOne ? others[0] : first
    const steps: [share: number, wanted: boolean, act: () => Promise<void>][] = [
      [0.15, mustKillOne, () => this.#lose(first, { by: 'kill -9', act: (one) => one.kill() })],
      [0.35, pauseS > 0, () => this.#pause(paused)],
      [0.5, mustStopRegistry, async () => this.#closeRegistry()],
      [0.7, mustFlushRedis, () => this.#flush()],
    ]
    await Promise.all(
      steps.map(async ([share, wanted, act]) => {
        if (wanted && (await this.#sleep(share * durationMs))) await act()
      }),
    )
  }

  async #lose(
    one: ServiceProcess | undefined,
    { by, act }: { by: string; act: (one: ServiceProcess) => Promise<void> },
  ): Promise<void> {
    const { run, say } = this.#deps
    if (one === undefined) return
    const running = (): ServiceProcess[] => run.services.aggregators.filter(({ state }) => state === 'running')
    // Before the first batches there is nothing to take over.
    let own = await partitionsOf([one])
    while (own.size === 0 && (await this.#sleep(retryMs))) own = await partitionsOf([one])
    const partitions = await partitionsOf(running())
    if (this.#deps.signal.aborted) return
    const report = { fault: `${by} ${one.name}`, atMs: Date.now() }
    say(`fault: ${report.fault} (pid ${one.pid})`)
    await act(one)
    const takenOverInMs = await awaitTakeOver(running(), { partitions, deadlineMs: takeOverDeadlineMs })
    this.reports.push({ ...report, takenOverInMs })
    say(`${one.name}'s partitions were taken over within ${(takenOverInMs / 1_000).toFixed(1)} s of ${by}`)
  }

  async #pause(one: ServiceProcess | undefined): Promise<void> {
    if (one === undefined) return
    let resumeAtMs = Date.now()
    const pause = async (each: ServiceProcess): Promise<void> => {
      each.pause()
      resumeAtMs = Date.now() + this.#options.pauseS * 1_000
    }
    try {
      await this.#lose(one, { by: 'SIGSTOP', act: pause })
      await this.#sleep(resumeAtMs - Date.now())
    } finally {
      one.resume()
      this.#deps.say(`${one.name} goes on after ${this.#options.pauseS} s`)
    }
  }

  #closeRegistry(): void {
    this.#deps.run.closeRegistry()
    this.#note('the schema registry is unreachable from now on')
  }

  async #flush(): Promise<void> {
    const { run, signal, say } = this.#deps
    const report = { fault: 'Redis was flushed', atMs: Date.now() }
    const refill = await flushAndAwaitRefill({
      aggregatorUrls: () => run.services.aggregators.filter(({ state }) => state === 'running').map(({ url }) => url),
      queryUrls: run.services.queryUrls,
      paths: this.#pathsOfThePast(),
      flush: async () => {
        await run.flushRedis()
        say(`fault: ${report.fault}`)
      },
      deadlineMs: refillDeadlineMs,
      signal,
    })
    if (refill === undefined) return
    this.reports.push({ ...report, refill })
    const { wholeInMs, minutes, answersCompared } = refill
    say(
      `the ring was whole again after ${(wholeInMs / 1_000).toFixed(1)} s, ${minutes.toLocaleString('en')} minutes; ${answersCompared} answers meanwhile were as before`,
    )
  }

  /** Of what is in the history, one series of some hosts; what the run itself sends may still change. */
  #pathsOfThePast(): string[] {
    const { generated, agents } = this.#deps.run
    const toMs = Math.floor(agents.startMs / 3_600_000) * 3_600_000
    const fromMs = toMs - this.#options.historyHours * 3_600_000
    if (fromMs === toMs) return []
    const hosts = Array.from({ length: Math.min(askedHosts, generated.shape.hostCount) }, (_, host) => host)
    const metricId = generated.series[0]?.metricId ?? ''
    return hosts.map((host) => {
      const range = `metricId=${metricId}&from=${fromMs}&to=${toMs}&stepMs=60000`
      return `/v1/servers/${generated.serverId(host)}/series?${range}`
    })
  }

  #note(fault: string): void {
    this.reports.push({ fault, atMs: Date.now() })
    this.#deps.say(`fault: ${fault}`)
  }

  /** False when it was cut short. */
  async #sleep(durationMs: number): Promise<boolean> {
    const { signal } = this.#deps
    if (durationMs > 0) await delay(durationMs, undefined, { signal }).catch(() => {})
    return !signal.aborted
  }
}
