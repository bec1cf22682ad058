/**
 * Live data comes first: asks the store how far its minutes are closed, and holds the import back while they lag. Only partitions that were
 * written lately count: one that nobody owns any more would hold it back for ever.
 */
import type { Clock } from '@minutely/lib/clock'
import type { PoolClient } from '@minutely/lib/postgres/pool'

const askEveryMs = 1_000

export interface LivePaceConfig {
  /** 0: never held back. */
  readonly liveLagMsMax: number
}

export class LivePace {
  readonly #config: LivePaceConfig
  readonly #deps: { readonly client: PoolClient; readonly clock: Clock; readonly onWait: (lagMs: number) => void }
  #askedAtMs = Number.NEGATIVE_INFINITY
  #closedThroughMs = 0

  constructor(config: LivePaceConfig, deps: { client: PoolClient; clock: Clock; onWait: (lagMs: number) => void }) {
    this.#config = config
    this.#deps = deps
  }

  /** Every minute before it is closed and stored; now, where there is no live data. */
  get closedThroughMs(): number {
    return this.#closedThroughMs
  }

  /** Resolves when there is room. */
  async wait(): Promise<void> {
    const { clock, onWait } = this.#deps
    while (clock.nowMs() - this.#askedAtMs >= askEveryMs) {
      const lagMs = await this.#ask()
      this.#askedAtMs = clock.nowMs()
      if (this.#config.liveLagMsMax === 0 || lagMs <= this.#config.liveLagMsMax) return
      onWait(lagMs)
      await clock.sleep(askEveryMs)
    }
  }

  async #ask(): Promise<number> {
    const { client, clock } = this.#deps
    const { rows } = await client.query<{ closed_ms: number | null; lag_ms: number | null }>(
      `select (extract(epoch from min(complete_through_at)) * 1000)::float8 as closed_ms,
         (extract(epoch from now() - min(complete_through_at) filter (where updated_at > now() - interval '10 minutes'))
           * 1000)::float8 as lag_ms
       from partition_progress where complete_through_at > to_timestamp(0)`,
    )
    const [row] = rows
    this.#closedThroughMs = Math.min(row?.closed_ms ?? clock.nowMs(), clock.nowMs())
    return row?.lag_ms ?? 0
  }
}
