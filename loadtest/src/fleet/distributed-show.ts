/**
 * The run of `npm run distributed` once its servers are there: services, agents, progress, faults, check, report. When its
 * time is over it asks its own process to stop, so that there is one way to end.
 */
import { writeFile } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'
import type { Service } from '@minutely/lib/lifecycle'
import type { Logger } from '@minutely/lib/logging'
import { cellMs } from '../load-plan.ts'
import type { DistributedOptions } from './distributed-options.ts'
import { Faults } from './faults.ts'
import type { FleetCheckResult } from './fleet-checker.ts'
import { writeHistory } from './fleet-history.ts'
import { FleetRun } from './fleet-run.ts'
import { ProgressLines } from './progress-lines.ts'
import type { ServerAddresses } from './server-addresses.ts'

/** Of the agents' own grid, or the rate would go up and down with their phases. */
const progressEveryMs = cellMs
/** Delivering what a fault held back, and closing the last minute: 70 s after it began at least. */
const checkDeadlineMs = 240_000

export interface DistributedShowDeps {
  readonly servers: () => ServerAddresses
  readonly logDir: string
  readonly say: (message: string) => void
  /** Asks the process to stop. */
  readonly end: () => void
  readonly log: Logger
}

export class DistributedShow implements Service {
  readonly name = 'fleet'
  readonly #options: DistributedOptions
  readonly #deps: DistributedShowDeps
  readonly #cut = new AbortController()
  #run: FleetRun | undefined
  #playing: Promise<void> = Promise.resolve()
  /** What the check, or a stop, found wrong. */
  readonly problems: string[] = []

  constructor(options: DistributedOptions, deps: DistributedShowDeps) {
    this.#options = options
    this.#deps = deps
  }

  async start(): Promise<void> {
    const { servers, logDir, say } = this.#deps
    const { hosts, metrics, minutes, historyHours } = this.#options
    const seed = Math.floor(Math.random() * 2 ** 31)
    this.#run = await FleetRun.prepare({ ...this.#options, seed, servers: servers(), logDir }, { onProgress: say })
    if (historyHours > 0) {
      const plan = { fleet: this.#run.generated, hours: historyHours, postgresUrl: servers().postgresUrl }
      await writeHistory(plan, { log: this.#deps.log, onProgress: say })
    }
    await this.#run.start()
    const until = minutes === undefined ? 'until Ctrl-C' : `for ${minutes} min`
    say(`${hosts} agents send ${(hosts * metrics).toLocaleString('en')} samples a second ${until}`)
    say(`look     ${this.#run.services.queryUrls().join('  ')}`)
    say(
      `metrics  ${[...this.#run.services.collectorUrls(), ...this.#run.services.aggregators.map(({ url }) => url)].map((url) => `${url}/metrics`).join('  ')}`,
    )
    say(`logs     ${logDir}`)
    this.#playing = this.#play(this.#run).catch((error: Error) => this.#note(error.message))
  }

  async stop(): Promise<void> {
    this.#cut.abort()
    const problems = (await this.#run?.stop()) ?? []
    for (const problem of problems) this.#note(problem)
    await this.#playing
  }

  async #play(run: FleetRun): Promise<void> {
    const { say, end } = this.#deps
    const { minutes } = this.#options
    const telling = this.#tellProgress(run)
    if (minutes === undefined) return telling
    try {
      const faults = new Faults(this.#options, { run, signal: this.#cut.signal, say })
      const loadMs = minutes * 60_000
      const cpuAtStart = cpuOf(run)
      const playing = faults.play(loadMs).catch((error: Error) => this.#note(error.message))
      await this.#sleep(run.agents.startMs + loadMs - Date.now())
      if (this.#cut.signal.aborted) return
      say('the agents end; what they have not delivered yet follows')
      await run.endLoad({ deadlineMs: checkDeadlineMs }).catch((error: Error) => this.#note(error.message))
      await playing
      const cpuS = cpuSince(cpuAtStart, cpuOf(run))
      const check = this.#options.mustCheck ? await this.#check(run) : undefined
      if (this.#cut.signal.aborted) return
      await this.#report(run, { check, faults, cpuS })
    } finally {
      end()
    }
  }

  async #check(run: FleetRun): Promise<FleetCheckResult> {
    const { say } = this.#deps
    say('waiting for the last minute to close, then comparing all of them')
    const check = await run.check({ deadlineMs: checkDeadlineMs, signal: this.#cut.signal })
    if (this.#cut.signal.aborted) return check
    const { problems, answers, finalSeriesMinutes } = run.watch.report()
    for (const problem of [...check.problems, ...problems, ...run.ledger.refusals]) this.#note(problem)
    say(
      `checked  ${check.seriesMinutes.toLocaleString('en')} series-minutes, ${check.samples.toLocaleString('en')} samples: ${verdict(check.problems)}`,
    )
    say(
      `watched  ${answers.toLocaleString('en')} answers, ${finalSeriesMinutes.toLocaleString('en')} final series-minutes: ${verdict(problems)}`,
    )
    return check
  }

  async #report(
    run: FleetRun,
    { check, faults, cpuS }: { check: FleetCheckResult | undefined; faults: Faults; cpuS: Record<string, number> },
  ): Promise<void> {
    const { say } = this.#deps
    const batches = run.ledger.totals()
    const watch = run.watch.report()
    say(`batches  ${JSON.stringify(batches)}`)
    say(
      `CPU      ${Object.entries(cpuS)
        .map(([name, seconds]) => `${name} ${seconds.toFixed(1)} s`)
        .join(', ')}`,
    )
    if (this.#options.report === undefined) return
    const report = { options: this.#options, faults: faults.reports, batches, check, watch, cpuS }
    await writeFile(this.#options.report, `${JSON.stringify(report, undefined, 2)}\n`)
    say(`report   ${this.#options.report}`)
  }

  async #tellProgress(run: FleetRun): Promise<void> {
    const lines = new ProgressLines(run)
    while (await this.#sleep(progressEveryMs)) this.#deps.say(await lines.line())
  }

  #note(problem: string): void {
    this.problems.push(problem)
    this.#deps.say(`WRONG    ${problem}`)
  }

  /** False when the show was cut. */
  async #sleep(durationMs: number): Promise<boolean> {
    if (durationMs > 0) await delay(durationMs, undefined, { signal: this.#cut.signal }).catch(() => {})
    return !this.#cut.signal.aborted
  }
}

function verdict(problems: readonly string[]): string {
  return problems.length === 0 ? 'all exact' : `${problems.length} WRONG (the first ones are shown)`
}

/** CPU-seconds of each service that lives. */
function cpuOf(run: FleetRun): Record<string, number> {
  const { collectors, aggregators, queryApis } = run.services
  return Object.fromEntries(
    [...collectors, ...aggregators, ...queryApis].flatMap((one) => {
      const cpuS = one.state === 'ended' ? undefined : one.cpuS()
      return cpuS === undefined ? [] : [[one.name, cpuS]]
    }),
  )
}

function cpuSince(before: Record<string, number>, after: Record<string, number>): Record<string, number> {
  return Object.fromEntries(Object.entries(after).map(([name, cpuS]) => [name, cpuS - (before[name] ?? 0)]))
}
