/**
 * Hosts that are not like the generated ones: with a wrong clock, or with a single sample in all their life. What they were
 * promised by a 202 is kept here, and looked for in the end like everything else.
 *
 * They send JSON rows of one metric that the others have too, so they share topics with them. The first value of a second wins.
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

const metricId = 'app.constant.m0000'
const requestTimeoutMs = 15_000
const retryMs = 500
const checkRetryMs = 1_000

export class StrangeHosts {
  readonly #collectorUrls: () => readonly string[]
  readonly #cut: AbortSignal
  /** Server -> second -> value. */
  readonly #promised = new Map<string, Map<number, number>>()
  #turn = 0

  constructor(deps: { collectorUrls: () => readonly string[]; cut: AbortSignal }) {
    this.#collectorUrls = deps.collectorUrls
    this.#cut = deps.cut
  }

  get count(): number {
    return this.#promised.size
  }

  /** Until it is answered with anything but 503; undefined when the run is cut before. */
  async send(serverId: string, samples: readonly StrangeSample[]): Promise<StrangeAnswer | undefined> {
    const body = JSON.stringify({ samples: samples.map(({ ts, value }) => ({ serverId, metricId, ts, value })) })
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
    const giveUpAtMs = Date.now() + plan.deadlineMs
    for (let turn = 0; ; turn++) {
      const urls = plan.queryUrls()
      const url = urls[turn % urls.length] ?? ''
      const problems: string[] = []
      for (const [serverId, seconds] of this.#promised) {
        problems.push(...(await problemsOf(url, { serverId, seconds }).catch((error: Error) => [error.message])))
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

async function problemsOf(
  url: string,
  { serverId, seconds }: { serverId: string; seconds: ReadonlyMap<number, number> },
): Promise<string[]> {
  const minutes = new Set([...seconds.keys()].map((ts) => Math.floor(ts / minuteMs) * minuteMs))
  const [fromMs, toMs] = [Math.min(...minutes), Math.max(...minutes) + minuteMs]
  const read = await readMinutes(url, { serverId, fromMs, toMs })
  if (read === undefined) return [`${serverId}: is not known to ${url}`]
  if (read.answer.completeThroughMs < toMs) return [`${serverId}: is not complete`]
  const [key = ''] = read.seriesKeys
  const problems: string[] = []
  for (let minute = fromMs; minute < toMs; minute += minuteMs) {
    const values = Float64Array.from({ length: 60 }, (_, second) => seconds.get(minute + second * 1_000) ?? Number.NaN)
    const all = 0b1111
    const found = read.minute(key, minute)
    const problem = minuteProblem({ minuteMs: minute, values, must: all, may: all, found })
    if (problem !== null) problems.push(`${serverId}, ${new Date(minute).toISOString()}: ${problem}`)
  }
  return problems
}
