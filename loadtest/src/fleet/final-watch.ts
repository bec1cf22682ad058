/**
 * Readers that ask all query APIs all the time, and judge what they are told is final: a step that ends at or before
 * `completeThroughMs`.
 *
 *       minute m             m + 60 s        + lateness
 *   ------|--------------------|----------------|----------------> time
 *         cells acknowledged here must be in it  |  those acknowledged here may be late: merged soon, but after it was final
 *
 * The log's append time, which closes minutes, is before the acknowledgement, on the same machine's clock. So a final minute
 * must hold every cell acknowledged before m + 60 s + lateness, may hold any that was tried before the answer came, and its
 * count never goes down from one final answer to the next, whichever query API gave them. But for a database that lost commits:
 * until the log is replayed, late samples that were merged into a final minute are not there again (`forgive`). And but for what is
 * past the retention.
 *
 * Of hosts that send late data of hours ago, every other question is about one of those hours: nothing of them was acknowledged in time,
 * but a count must not go down there either, while the hour is sealed, merged into and sealed again.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { describeSeries, seriesKey } from '@minutely/schema/series-identity'
import type { GeneratedFleet } from '../generated-fleet.ts'
import { type DeliveryLedger, minuteMs } from './delivery-ledger.ts'
import { valuesOf } from './fleet-checker.ts'
import { hourMs, isForgotten } from './forgotten-hours.ts'
import { minuteProblem } from './minute-verdict.ts'
import { type MinutesRead, readMinutes } from './minutes-read.ts'

export interface FinalWatchConfig {
  readonly fleet: GeneratedFleet
  readonly hosts: readonly number[]
  /** What the aggregators run with. */
  readonly latenessMs: number
  readonly retentionHours?: number | undefined
  /** How many hours back a host sends, see GeneratedAgents. */
  readonly hoursBackOf?: (host: number) => number
  /** Pause between two questions of a reader. */
  readonly everyMs: number
}

export interface FinalWatchDeps {
  readonly ledger: DeliveryLedger
  readonly startMs: () => number
  readonly queryUrls: () => readonly string[]
  /** Of the first problems, as soon as they are seen. */
  readonly onProblem?: (cell: ProblemMinute, problem: string) => void
}

export interface ProblemMinute {
  readonly serverId: string
  readonly metricId: string
  readonly minuteMs: number
}

export interface FinalWatchReport {
  readonly answers: number
  readonly finalSeriesMinutes: number
  /** Questions without an answer: a query API was down or overloaded. */
  readonly failures: number
  readonly lastFailure: string | undefined
  /** A reader saw something incomplete, invented or shrunk as final. One line each, the first 20. */
  readonly problems: readonly string[]
  /** Newest instant that any answer was complete through, and how far behind the wall clock it was at most, ms. */
  readonly completeThroughMs: number
  readonly slowestLagMs: number
}

const linesMax = 20
/** How far back a question reaches at most: past the minutes that only Postgres answers, into what the ring covers. */
const rangeMinutesMax = 30

export class FinalWatch {
  readonly #config: FinalWatchConfig
  readonly #deps: FinalWatchDeps
  readonly #cut = new AbortController()
  readonly #problems: string[] = []
  /** `host series minute` -> the highest count seen as final. */
  readonly #counts = new Map<string, number>()
  #answers = 0
  #finalSeriesMinutes = 0
  #failures = 0
  #lastFailure: string | undefined
  #completeThroughMs = 0
  #slowestLagMs = 0
  #forgivesUntilMs = 0
  #running: Promise<unknown> = Promise.resolve()

  constructor(config: FinalWatchConfig, deps: FinalWatchDeps) {
    this.#config = config
    this.#deps = deps
  }

  /** One reader for each query API. */
  start(): void {
    const readers = this.#deps.queryUrls().length
    this.#running = Promise.all(Array.from({ length: readers }, (_, reader) => this.#read(reader)))
  }

  async stop(): Promise<void> {
    this.#cut.abort()
    await this.#running
  }

  /** For so long counts may go down, since commits were lost. That nothing punctual is missing is asked for all the same. */
  forgive(durationMs: number): void {
    this.#forgivesUntilMs = Date.now() + durationMs
    this.#counts.clear()
  }

  report(): FinalWatchReport {
    return {
      answers: this.#answers,
      finalSeriesMinutes: this.#finalSeriesMinutes,
      failures: this.#failures,
      lastFailure: this.#lastFailure,
      problems: this.#problems,
      completeThroughMs: this.#completeThroughMs,
      slowestLagMs: this.#slowestLagMs,
    }
  }

  async #read(reader: number): Promise<void> {
    const { hosts, everyMs, fleet } = this.#config
    for (let turn = 0; !this.#cut.signal.aborted; turn++) {
      const host = hosts[(turn + reader) % hosts.length] ?? 0
      const url = this.#deps.queryUrls()[reader] ?? ''
      const askedAtMs = Date.now()
      const toMs = Math.ceil(askedAtMs / minuteMs) * minuteMs
      try {
        const fromMs = Math.max(this.#firstMinuteMs, toMs - rangeMinutesMax * minuteMs)
        const backMs = this.#hoursBack(host, Math.floor(turn / hosts.length)) * hourMs
        const question = { serverId: fleet.serverId(host), fromMs: fromMs - backMs, toMs: toMs - backMs }
        // Earlier answers bind later ones only if they came before these were asked.
        const counts = new Map(this.#counts)
        const read = await readMinutes(url, question)
        if (read !== undefined) this.#judge(read, { host, url, counts, askedAtMs, toMs: question.toMs })
      } catch (error) {
        this.#failures++
        this.#lastFailure = (error as Error).message
      }
      await delay(everyMs, undefined, { signal: this.#cut.signal }).catch(() => {})
    }
  }

  /** `round`: how often each host had its turn. */
  #hoursBack(host: number, round: number): number {
    const hoursBack = this.#config.hoursBackOf?.(host) ?? 0
    return hoursBack === 0 || round % 2 === 0 ? 0 : 1 + (((round - 1) / 2) % hoursBack)
  }

  get #firstMinuteMs(): number {
    return Math.floor(this.#deps.startMs() / minuteMs) * minuteMs
  }

  #judge(read: MinutesRead, asked: Asked): void {
    const { startMs, completeThroughMs } = read.answer
    this.#answers++
    this.#completeThroughMs = Math.max(this.#completeThroughMs, completeThroughMs)
    // An instant can be complete for the first time a minute and the lateness after the one before it.
    if (completeThroughMs > 0) this.#slowestLagMs = Math.max(this.#slowestLagMs, asked.askedAtMs - completeThroughMs)
    const endMs = Math.min(asked.toMs, completeThroughMs)
    for (let minute = startMs; minute + minuteMs <= endMs; minute += minuteMs) {
      this.#judgeMinute(read, { ...asked, minute })
    }
  }

  #judgeMinute(read: MinutesRead, { host, url, counts, minute }: Asked & { minute: number }): void {
    const { fleet, latenessMs, retentionHours } = this.#config
    const { ledger } = this.#deps
    const must = ledger.acknowledgedCells(host, minute, { beforeMs: minute + minuteMs + latenessMs })
    const may = ledger.attemptedCells(host, minute, { beforeMs: Date.now() })
    for (const [metric, series] of fleet.series.entries()) {
      const found = read.minute(seriesKey(series), minute)
      const values = valuesOf(fleet, { host, metric, minute })
      const name = `${fleet.serverId(host)} ${describeSeries(series)}, ${new Date(minute).toISOString()}`
      const problem = minuteProblem({ minuteMs: minute, values, must, may, found })
      const where = { serverId: fleet.serverId(host), metricId: series.metricId, minuteMs: minute }
      if (problem !== null) this.#note(`${url} said this is final: ${name}: ${problem}`, where)
      this.#finalSeriesMinutes++
      // Also of answers that were under way then.
      if (Date.now() < this.#forgivesUntilMs || isForgotten(minute, Date.now(), retentionHours)) continue
      const count = found?.count ?? 0
      const before = counts.get(name) ?? 0
      if (count < before) this.#note(`${url} went back: ${name}: count ${count} after ${before}, both final`, where)
      this.#counts.set(name, Math.max(count, this.#counts.get(name) ?? 0))
    }
  }

  #note(problem: string, where: ProblemMinute): void {
    if (this.#problems.length >= linesMax) return
    this.#problems.push(`${new Date().toISOString()} ${problem}`)
    this.#deps.onProblem?.(where, problem)
  }
}

interface Asked {
  readonly host: number
  readonly url: string
  readonly counts: ReadonlyMap<string, number>
  readonly askedAtMs: number
  /** End of the question's range. */
  readonly toMs: number
}
