/**
 * How soon minutes can be read, beside a running load. For each minute of the run and each agent of a sample: the first
 * time that an answer calls the minute complete *and* has all of the agent's series with the right min, max, sum and count.
 *
 *        minute        |-- lateness --|------ delay ------|
 *   |------------------|--------------|-------------------|---->
 *                     end         may close            readable: all series, exact
 *
 * Delays are ms after end + lateness; they include this reader's own pacing, for 100 agents up to a second. Query APIs are
 * asked in turn. Its load is bounded: one read per pollMs until the minute is called complete, then the sample at
 * readsPerSecondMax, then only those that were not right.
 */
import { setTimeout as delay } from 'node:timers/promises'
import type { SeriesAnswer } from '@minutely/schema/query-wire'
import { minuteProblems } from './check-fleet.ts'
import type { GeneratedFleet } from './generated-fleet.ts'

export interface FreshnessQuestion {
  readonly queries: readonly string[]
  readonly fleet: GeneratedFleet
  readonly agents: readonly number[]
  readonly latenessMs: number
  /** After end + lateness: what is not readable then never was. */
  readonly giveUpMs: number
}

export interface MinuteFreshness {
  readonly minuteMs: number
  /** One for each agent that became readable, ms. */
  readonly delaysMs: readonly number[]
  /** Of those that did not: what the last answer lacked. */
  readonly unreadable: readonly string[]
}

const pollMs = 250
const readsPerSecondMax = 100
const readTimeoutMs = 10_000

export class FreshnessReader {
  readonly #question: FreshnessQuestion
  #next = 0
  /** Of every read, ms. */
  readonly latenciesMs: number[] = []

  constructor(question: FreshnessQuestion) {
    this.#question = question
  }

  /** From the minute's end until it is readable for every agent. */
  async watch(minuteMs: number): Promise<MinuteFreshness> {
    const { agents, latenessMs, giveUpMs } = this.#question
    const dueMs = minuteMs + 60_000 + latenessMs
    await delay(Math.max(0, minuteMs + 60_000 - Date.now()))
    const delaysMs: number[] = []
    const problems = new Map(agents.map((agent) => [agent, 'never read']))
    while (problems.size > 0 && Date.now() <= dueMs + giveUpMs) {
      for (const agent of [...problems.keys()]) {
        const startedMs = performance.now()
        const problem = await this.#problemOf(agent, minuteMs)
        if (problem === undefined) {
          delaysMs.push(Date.now() - dueMs)
          problems.delete(agent)
        } else problems.set(agent, problem)
        // While the minute is open for one, asking for the others tells nothing.
        if (problem === notComplete || Date.now() > dueMs + giveUpMs) break
        await delay(Math.max(0, 1_000 / readsPerSecondMax - (performance.now() - startedMs)))
      }
      if (problems.size > 0) await delay(pollMs)
    }
    return { minuteMs, delaysMs, unreadable: [...problems].map(([agent, problem]) => `agent ${agent}: ${problem}`) }
  }

  /** Undefined when the minute is complete and right. */
  async #problemOf(agent: number, minuteMs: number): Promise<string | undefined> {
    const { queries, fleet } = this.#question
    const url = queries[this.#next++ % queries.length]
    const serverId = fleet.serverId(agent)
    const startedMs = performance.now()
    try {
      const range = `from=${minuteMs}&to=${minuteMs + 60_000}&stepMs=60000`
      const response = await fetch(`${url}/v1/servers/${serverId}/series?${range}`, {
        signal: AbortSignal.timeout(readTimeoutMs),
      })
      const text = await response.text()
      this.latenciesMs.push(performance.now() - startedMs)
      if (!response.ok) return `${url} answered ${response.status} for ${serverId}: ${text.slice(0, 200)}`
      const answer = JSON.parse(text) as SeriesAnswer
      if (answer.completeThroughMs < minuteMs + 60_000) return notComplete
      return minuteProblems(answer, { fleet, host: agent, minuteMs })[0]
    } catch (error) {
      return `${url} for ${serverId}: ${(error as Error).message}`
    }
  }
}

const notComplete = 'the minute is not complete'
