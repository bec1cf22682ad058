/**
 * Hosts that are not like the generated ones: with a wrong clock, or with a single sample in all their life. What they were
 * promised by a 202 is kept here, and looked for in the end like everything else.
 *
 * They send JSON rows of metrics that the others have too, each with the same values, so they share topics with them. The first
 * value of a second wins.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { minuteMs } from '../fleet/delivery-ledger.ts'
import { minuteProblem } from '../fleet/minute-verdict.ts'
import { readMinutes } from '../fleet/minutes-read.ts'

export interface StrangeSample {
  /** A whole second, ms since the epoch. */
  readonly ts: number
  /** With 2 digits at most. */
  readonly value: number
}

export interface StrangeAnswer {
  readonly status: number
  readonly text: string
}

const requestTimeoutMs = 15_000
const retryMs = 500
const checkRetryMs = 1_000
const wholeMinute = 0b1111

export class StrangeHosts {
  readonly #collectorUrls: () => readonly string[]
  readonly #cut: AbortSignal
  readonly #metricIds: readonly string[]
  readonly #sending = new Set<Promise<unknown>>()
  /** Server -> second -> value. */
  readonly #promised = new Map<string, Map<number, number>>()
  #turn = 0

  constructor(metricIds: readonly string[], deps: { collectorUrls: () => readonly string[]; cut: AbortSignal }) {
    this.#metricIds = metricIds
    this.#collectorUrls = deps.collectorUrls
    this.#cut = deps.cut
  }

  get count(): number {
    return this.#promised.size
  }

  /** Until it is answered with anything but 503; undefined when the run is cut before. */
  async send(serverId: string, samples: readonly StrangeSample[]): Promise<StrangeAnswer | undefined> {
    const sending = this.#send(serverId, samples)
    this.#sending.add(sending)
    return sending.finally(() => this.#sending.delete(sending))
  }

  async #send(serverId: string, samples: readonly StrangeSample[]): Promise<StrangeAnswer | undefined> {
    const rows = samples.flatMap((sample) => this.#metricIds.map((metricId) => ({ serverId, metricId, ...sample })))
    const body = JSON.stringify({ samples: rows })
    // However long it takes: a second of which nobody knows whether it was taken could not be judged.
    while (!this.#cut.aborted) {
      const answer = await this.#post(body)
      if (answer !== undefined && answer.status !== 503) {
        if (answer.status === 202) this.#promise(serverId, samples)
        return answer
      }
      await delay(retryMs)
    }
    return undefined
  }

  /** What is promised and not there, or there and not promised; tries until the deadline. */
  async check(plan: { queryUrls: () => readonly string[]; deadlineMs: number }): Promise<string[]> {
    await Promise.all(this.#sending)
    const giveUpAtMs = Date.now() + plan.deadlineMs
    for (let turn = 0; ; turn++) {
      const urls = plan.queryUrls()
      const url = urls[turn % urls.length] ?? ''
      const problems: string[] = []
      for (const [serverId, seconds] of this.#promised) {
        const promised = { serverId, seconds, series: this.#metricIds.length }
        problems.push(...(await problemsOf(url, promised).catch((error: Error) => [error.message])))
      }
      if (problems.length === 0 || Date.now() > giveUpAtMs) return problems
      await delay(checkRetryMs)
    }
  }

  #promise(serverId: string, samples: readonly StrangeSample[]): void {
    const seconds = this.#promised.get(serverId) ?? new Map<number, number>()
    this.#promised.set(serverId, seconds)
    for (const { ts, value } of samples) if (!seconds.has(ts)) seconds.set(ts, value)
  }

  async #post(body: string): Promise<StrangeAnswer | undefined> {
    const urls = this.#collectorUrls()
    const url = urls[this.#turn++ % urls.length]
    try {
      const signal = AbortSignal.timeout(requestTimeoutMs)
      const headers = { 'content-type': 'application/json' }
      const answer = await fetch(`${url}/v1/samples`, { method: 'POST', headers, body, signal })
      return { status: answer.status, text: await answer.text() }
    } catch {
      return undefined
    }
  }
}

interface Promised {
  readonly serverId: string
  readonly seconds: ReadonlyMap<number, number>
  /** Each with these seconds. */
  readonly series: number
}

async function problemsOf(url: string, { serverId, seconds, series }: Promised): Promise<string[]> {
  const minutes = new Set([...seconds.keys()].map((ts) => Math.floor(ts / minuteMs) * minuteMs))
  const [fromMs, toMs] = [Math.min(...minutes), Math.max(...minutes) + minuteMs]
  const read = await readMinutes(url, { serverId, fromMs, toMs })
  if (read === undefined) return [`${serverId}: is not known to ${url}`]
  if (read.answer.completeThroughMs < toMs) return [`${serverId}: is not complete`]
  const keys = [...read.seriesKeys]
  const problems = keys.length === series ? [] : [`${serverId}: has ${keys.length} series instead of ${series}`]
  for (const key of keys) {
    for (let minute = fromMs; minute < toMs; minute += minuteMs) {
      const values = Float64Array.from({ length: 60 }, (_, each) => seconds.get(minute + each * 1_000) ?? Number.NaN)
      const found = read.minute(key, minute)
      const problem = minuteProblem({ minuteMs: minute, values, must: wholeMinute, may: wholeMinute, found })
      if (problem !== null) problems.push(`${serverId} ${key}, ${new Date(minute).toISOString()}: ${problem}`)
    }
  }
  return problems
}
