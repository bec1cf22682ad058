/**
 * What the store already says of servers' first and last instants, as far as this process has stored it itself. A server's
 * series are spread over many partitions, each with its own flush; only the first of them in a minute has anything to
 * write. Bounded: past serversMax it is begun anew, which costs a look-up each.
 */
import type { ServerKey } from '@minutely/lib/live/live-channel'

/** First and last instant with a sample, ms since the epoch. */
export interface Span {
  readonly first: number
  readonly last: number
}

const serversMax = 200_000

export class SeenServers {
  readonly #spans = new Map<string, Span>()

  /** The store has this span of the server, or more. */
  has(server: ServerKey, { first, last }: Span): boolean {
    const seen = this.#spans.get(keyOf(server))
    return seen !== undefined && seen.first <= first && seen.last >= last
  }

  /** After the commit that stored it, never before. */
  note(server: ServerKey, span: Span): void {
    const key = keyOf(server)
    const seen = this.#spans.get(key) ?? span
    if (this.#spans.size >= serversMax) this.#spans.clear()
    this.#spans.set(key, { first: Math.min(seen.first, span.first), last: Math.max(seen.last, span.last) })
  }

  forget(): void {
    this.#spans.clear()
  }
}

function keyOf({ tenantId, serverId }: ServerKey): string {
  return `${tenantId}\u0001${serverId}`
}
