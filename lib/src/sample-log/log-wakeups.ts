/**
 * Wakes readers of the Postgres log when something was appended, by LISTEN on a connection of its own. Only a hint: a
 * reader also looks again after pollMs, so a lost notification or connection costs time, never a record.
 */
import pg from 'pg'
import type { Clock } from '../clock.ts'
import { type Logger, warnBriefly } from '../logging.ts'
import type { PostgresConnection } from '../postgres/pool.ts'

export const channel = 'minutely_log'
const reconnectMs = 1_000

export interface LogWakeupsDeps {
  readonly clock: Clock
  readonly log: Logger
  /** Names this process: its own notifications are not news. */
  readonly instanceId: string
  /** Longest wait. */
  readonly pollMs: number
}

export class LogWakeups {
  readonly #connection: PostgresConnection
  readonly #deps: LogWakeupsDeps
  #client: pg.Client | undefined
  #cancelReconnect: (() => void) | undefined
  #stopped = false
  /** Grows with each wake-up, so that one between a reader's look and its wait is not lost. */
  #generation = 0
  #foreignGeneration = 0
  readonly #waiting = new Set<() => void>()

  constructor(connection: PostgresConnection, deps: LogWakeupsDeps) {
    this.#connection = connection
    this.#deps = deps
  }

  async start(): Promise<void> {
    const client = new pg.Client({ ...this.#connection, application_name: 'minutely-log-wakeups' })
    client.on('notification', ({ payload }) => {
      if (payload !== this.#deps.instanceId) this.#wakeForeign()
    })
    client.on('error', (error) => this.#lost(client, error))
    client.on('end', () => this.#lost(client, undefined))
    await client.connect()
    await client.query(`listen ${channel}`)
    this.#client = client
    // Notifications may have been missed until now.
    this.#wakeForeign()
  }

  async stop(): Promise<void> {
    this.#stopped = true
    this.#cancelReconnect?.()
    this.wake()
    await this.#client?.end().catch(() => {})
  }

  /** Grows with each append of another process that was heard of. */
  get foreignGeneration(): number {
    return this.#foreignGeneration
  }

  get generation(): number {
    return this.#generation
  }

  #wakeForeign(): void {
    this.#foreignGeneration++
    this.wake()
  }

  wake(): void {
    this.#generation++
    for (const resume of [...this.#waiting]) resume()
  }

  /** Resolves on the first wake-up after `generation` was read, an abort, pollMs, or waitMs. */
  async wait(generation: number, waitMs: number, signal: AbortSignal | undefined): Promise<void> {
    if (generation !== this.#generation || this.#stopped || signal?.aborted) return
    const { promise, resolve } = Promise.withResolvers<void>()
    const onAbort = (): void => resolve()
    const cancel = this.#deps.clock.schedule(Math.min(waitMs, this.#deps.pollMs), resolve)
    this.#waiting.add(resolve)
    signal?.addEventListener('abort', onAbort)
    await promise
    // The signal lives as long as the consumer: what is left on it would pile up.
    signal?.removeEventListener('abort', onAbort)
    this.#waiting.delete(resolve)
    cancel()
  }

  #lost(client: pg.Client, error: Error | undefined): void {
    if (this.#stopped || this.#client !== client) return
    this.#client = undefined
    const { log, pollMs } = this.#deps
    warnBriefly(log, error, { message: `log notifications lost; polling every ${pollMs} ms until they are back` })
    this.#retry()
  }

  #retry(): void {
    this.#cancelReconnect = this.#deps.clock.schedule(reconnectMs, () => {
      if (!this.#stopped) this.start().catch(() => this.#retry())
    })
  }
}
