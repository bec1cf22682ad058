/**
 * When each minute was closed, as anybody could have known: Postgres' complete-through is asked through the API every 50 ms from the
 * lateness after a minute's end on. The instant is that of the last question whose answer did not have the minute yet, so a delay
 * counted from it is too long by up to 50 ms and an answer, never too short.
 */
import { setTimeout as delay } from 'node:timers/promises'

const minuteMs = 60_000
const askEveryMs = 50
/** Minutes close 10 s after their end. */
const notBeforeMs = 9_500

export class ClosedMinutes {
  /** By the start of the minute. */
  readonly closedAtMs = new Map<number, number>()
  readonly #url: string
  #isStopped = false
  #running: Promise<void>

  constructor(url: string) {
    this.#url = url
    this.#running = this.#watch()
  }

  async stop(): Promise<void> {
    this.#isStopped = true
    await this.#running
  }

  async #watch(): Promise<void> {
    let throughMs = await this.#completeThroughMs()
    let askedAtMs = Date.now()
    while (!this.#isStopped) {
      const waitMs = throughMs + minuteMs + notBeforeMs - Date.now()
      if (waitMs > 0) {
        await delay(Math.min(waitMs, 500))
        continue
      }
      const askingAtMs = Date.now()
      // No answer on a machine that is overcommitted: asked again, and what was closed meanwhile counts from the last answer.
      const nowThroughMs = await this.#completeThroughMs().catch(() => undefined)
      if (nowThroughMs === undefined) continue
      for (let atMs = throughMs; atMs < nowThroughMs; atMs += minuteMs) this.closedAtMs.set(atMs, askedAtMs)
      throughMs = Math.max(throughMs, nowThroughMs)
      askedAtMs = askingAtMs
      await delay(askEveryMs)
    }
  }

  async #completeThroughMs(): Promise<number> {
    const answer = await fetch(`${this.#url}/v1/latest?metricId=none`)
    const { completeThroughMs } = (await answer.json()) as { completeThroughMs: number }
    return Math.floor(completeThroughMs / minuteMs) * minuteMs
  }
}
