/**
 * Many agents in one process: each ships what its host measured on the real grid of 15 s at the phase of its name, keeps what
 * is not acknowledged and sends it again, newest first, to the next collector in turn, after a full-jitter delay.
 *
 *       :00            :15            :30
 *        |---- cell ----|---- cell ----|        every second of every metric has a value, so a cell is complete when it ends
 *                       .--> phase     .--> phase: sent then, as our agent does
 *
 * What becomes of each batch stands in the ledger. The values are computed when a batch is sent, so what waits is a number a
 * batch. All agents together have at most `requestsMax` requests under way. Instants are ms since the epoch.
 */
import { Agent, request } from 'node:http'
import { setTimeout as delay } from 'node:timers/promises'
import { batchHeaders, type GeneratedFleet } from '../generated-fleet.ts'
import { agentPhaseMs, cellMs } from '../load-plan.ts'
import type { DeliveryLedger } from './delivery-ledger.ts'
import { hourMs } from './forgotten-hours.ts'
import { Permits } from './permits.ts'

const requestTimeoutMs = 15_000
const backoffMsMin = 500
const backoffMsMax = 8_000
const refusedForGood = new Set([400, 413, 415, 422])
/** Of an agent, beside its backlog, and as many for each hour back; past it the oldest is dropped. 2 h. */
const waitingBatchesMax = 480

export interface GeneratedAgentsConfig {
  readonly fleet: GeneratedFleet
  readonly requestsMax: number
  /** How much later than it is due a host sends everything, ms: samples of minutes that are closed. 0 unless given. */
  readonly lagMsOf?: (host: number) => number
  /** What each agent kept of the time before, as after an outage: whole cells. 0 unless given. */
  readonly backlogMs?: number
  /** With each cell a host sends those of as many hours before, one an hour: late data, all the time. None unless given. */
  readonly hoursBackOf?: (host: number) => number
  readonly onAcknowledged?: (batch: Acknowledged) => void
}

/** A batch that was taken. Instants are ms since the epoch. */
export interface Acknowledged {
  /** Of a time before the agents were started. */
  readonly isBacklog: boolean
  /** When it was sent at the earliest. */
  readonly dueMs: number
  readonly nowMs: number
}

export interface GeneratedAgentsDeps {
  readonly ledger: DeliveryLedger
  /** All there are, dead ones included, as behind a load balancer that does not know yet. */
  readonly collectorUrls: () => readonly string[]
  readonly random: () => number
}

interface Answer {
  readonly status: number
  readonly retryAfterS: number
  readonly text: string
}

export class GeneratedAgents {
  readonly #fleet: GeneratedFleet
  readonly #deps: GeneratedAgentsDeps
  readonly #permits: Permits
  readonly #connections: Agent
  readonly #cut = new AbortController()
  #running: Promise<unknown> = Promise.resolve()
  readonly #config: GeneratedAgentsConfig
  readonly #lagMsOf: (host: number) => number
  readonly #hoursBackOf: (host: number) => number
  readonly #ending = new AbortController()
  #turn = 0
  #endMs = Number.POSITIVE_INFINITY
  #startMs = 0

  constructor(config: GeneratedAgentsConfig, deps: GeneratedAgentsDeps) {
    this.#config = config
    this.#fleet = config.fleet
    this.#lagMsOf = config.lagMsOf ?? (() => 0)
    this.#hoursBackOf = config.hoursBackOf ?? (() => 0)
    this.#deps = deps
    this.#permits = new Permits(config.requestsMax)
    this.#connections = new Agent({ keepAlive: true, maxSockets: config.requestsMax })
  }

  /** Start of the first cell, the end of the last one once it is decided. */
  get startMs(): number {
    return this.#startMs
  }

  /** Start of the first cell of all, the backlog's or the oldest late one. */
  get firstMs(): number {
    const hoursBackMax = Math.max(...this.#hosts.map(this.#hoursBackOf))
    return this.#startMs - Math.max(this.#config.backlogMs ?? 0, hoursBackMax * hourMs)
  }

  get endMs(): number {
    return this.#endMs
  }

  /** The first cell is the next one of the grid. */
  start(): void {
    this.#startMs = Math.ceil(Date.now() / cellMs) * cellMs
    this.#running = Promise.all(this.#hosts.map((host) => this.#run(host)))
  }

  get #hosts(): number[] {
    return Array.from({ length: this.#fleet.shape.hostCount }, (_, host) => host)
  }

  /** The cell in progress is the last; resolves when every batch is acknowledged or refused. */
  async finish(): Promise<void> {
    this.#endMs = Math.ceil(Date.now() / cellMs) * cellMs
    this.#ending.abort()
    await this.#running
  }

  /** At once; what waits is lost, as with a host that loses its power. */
  async stop(): Promise<void> {
    this.#cut.abort()
    await this.#running
    this.#connections.destroy()
  }

  async #run(host: number): Promise<void> {
    const phaseMs = agentPhaseMs(this.#fleet.serverId(host))
    const waiting: number[] = []
    const backlogMs = this.#config.backlogMs ?? 0
    for (let cell = this.#startMs - backlogMs; cell < this.#startMs; cell += cellMs) waiting.push(cell)
    const hoursBack = this.#hoursBackOf(host)
    const waitingMax = waitingBatchesMax * (1 + hoursBack) + waiting.length
    let shipping = Promise.resolve()
    let isShipping = false
    for (let cell = this.#startMs; cell < this.#endMs; cell += cellMs) {
      // Who lags catches up in the end.
      await this.#sleep(cell + cellMs + phaseMs + this.#lagMsOf(host) - Date.now(), this.#ending.signal)
      await this.#sleep(cell + cellMs + phaseMs - Date.now())
      if (this.#cut.signal.aborted) break
      // Newest first, as they are sent.
      for (let back = hoursBack; back > 0; back--) waiting.push(cell - back * hourMs)
      waiting.push(cell)
      while (waiting.length > waitingMax) waiting.shift()
      if (isShipping) continue
      isShipping = true
      shipping = this.#ship(host, waiting).finally(() => {
        isShipping = false
      })
    }
    await shipping
  }

  /** Until nothing waits. */
  async #ship(host: number, waiting: number[]): Promise<void> {
    let failures = 0
    for (let cell = waiting.at(-1); cell !== undefined && !this.#cut.signal.aborted; cell = waiting.at(-1)) {
      const retryAfterMs = await this.#permits.run(() => this.#send(host, cell))
      if (retryAfterMs === null) {
        waiting.splice(waiting.indexOf(cell), 1)
        failures = 0
        continue
      }
      const ceilingMs = Math.min(backoffMsMax, backoffMsMin * 2 ** failures++)
      await this.#sleep(Math.max(retryAfterMs, this.#deps.random() * ceilingMs))
    }
  }

  /** Null when it is done with, acknowledged or refused; else what the collector asked to wait. */
  async #send(host: number, cell: number): Promise<number | null> {
    if (this.#cut.signal.aborted) return 0
    const { ledger } = this.#deps
    ledger.attempt(host, cell, { nowMs: Date.now() })
    const answer = await this.#post(this.#fleet.body(host, { startMs: cell, sentAtMs: Date.now() }))
    if (answer instanceof Error) {
      if (!this.#cut.signal.aborted)
        ledger.fail((answer as NodeJS.ErrnoException).code ?? answer.message, { nowMs: Date.now() })
      return 0
    }
    const { status, retryAfterS, text } = answer
    if (status === 202) {
      const { rejected } = JSON.parse(text) as { rejected: unknown[] }
      if (rejected.length === 0) this.#acknowledged(host, cell)
      else ledger.refuse(`${this.#name(host, cell)}: a part was rejected: ${JSON.stringify(rejected[0])}`)
      return null
    }
    if (refusedForGood.has(status)) {
      ledger.refuse(`${this.#name(host, cell)}: ${status} ${text}`)
      return null
    }
    ledger.fail(String(status), { nowMs: Date.now() })
    return retryAfterS * 1_000
  }

  #acknowledged(host: number, cell: number): void {
    const nowMs = Date.now()
    this.#deps.ledger.acknowledge(host, cell, { nowMs })
    const dueMs = cell + cellMs + agentPhaseMs(this.#fleet.serverId(host)) + this.#lagMsOf(host)
    this.#config.onAcknowledged?.({ isBacklog: cell < this.#startMs, dueMs, nowMs })
  }

  async #post(body: Buffer): Promise<Answer | Error> {
    const urls = this.#deps.collectorUrls()
    const url = urls[this.#turn++ % urls.length]
    const signal = AbortSignal.any([this.#cut.signal, AbortSignal.timeout(requestTimeoutMs)])
    const { promise, resolve } = Promise.withResolvers<Answer | Error>()
    const headers = { ...batchHeaders, 'content-length': body.length }
    request(`${url}/v1/samples`, { method: 'POST', agent: this.#connections, headers, signal }, (answer) => {
      let text = ''
      const { statusCode: status = 0, headers: answered } = answer
      answer.setEncoding('utf8')
      answer.on('data', (chunk: string) => (text += chunk))
      answer.on('end', () => resolve({ status, text, retryAfterS: Number(answered['retry-after'] ?? 0) || 0 }))
      answer.on('error', resolve)
    })
      .on('error', resolve)
      .end(body)
    return promise
  }

  async #sleep(durationMs: number, orUntil?: AbortSignal): Promise<void> {
    const signal = orUntil === undefined ? this.#cut.signal : AbortSignal.any([this.#cut.signal, orUntil])
    if (durationMs > 0) await delay(durationMs, undefined, { signal }).catch(() => {})
  }

  #name(host: number, cell: number): string {
    return `${this.#fleet.serverId(host)} ${new Date(cell).toISOString()}`
  }
}
