/**
 * Between aggregators and whoever watches: closed minutes as they close, provisional ones while they grow. Nothing here is
 * stored, and nothing relies on it for correctness: what does not arrive is read from Postgres by whoever waits for it
 * (query-api/src/server-feed.ts). Instants are ms since the epoch.
 *
 *   aggregator 1 ── LiveWriter ──┐             ┌── LiveReader ── query API 1 ── viewers
 *   aggregator 2 ── LiveWriter ──┴── channel ──┴── LiveReader ── query API 2 ── viewers
 *
 * A minute of a server comes in parts: one per partition that has series of it, and large ones are cut. A part is about its
 * own series only: that it is closed says nothing of the others, and its completeThroughMs is its partition's. Of two
 * parts with the same series (an owner that was paused, replaced and continued) either may come first.
 *
 * Work is only done for what somebody watches: an aggregator asks isWatched before it builds an event.
 *
 * local-live-channel.ts is both sides within one process, redis-live-writer.ts and redis-live-reader.ts those of many;
 * live-channel-contract.ts is the suite of both.
 */
import type { LiveMinute } from '@minutely/schema/query-wire'

export interface ServerKey {
  readonly tenantId: string
  readonly serverId: string
}

/** What an aggregator offers. */
export interface LiveSource {
  /** The open minutes of one server as they are now, oldest first; empty when nothing of it is open here. */
  openMinutes(server: ServerKey): LiveMinute[]
  /** Instant up to which every minute of the partitions owned here is closed; 0 before the first is. */
  completeThroughMs(): number
}

/** The aggregator's side. None of these fails or waits: what cannot be sent is dropped and counted. */
export interface LiveWriter {
  /** Called by the aggregator when it starts, with undefined when it stops. */
  connect(source: LiveSource | undefined): void
  /** Servers with at least one viewer anywhere, as far as is known here. */
  readonly watchedCount: number
  isWatched(server: ServerKey): boolean
  /** A minute, or a part of one, that is closed and stored. */
  publish(server: ServerKey, minute: LiveMinute): void
  /** Called about every 2 s: sends the viewers of each watched server what the source has open. */
  publishProvisional(): void
}

export type LiveListener = (minute: LiveMinute) => void

/** The query API's side. */
export interface LiveReader {
  /** Calls listener for each part of a closed or open minute of the server until the returned function is called. */
  watch(server: ServerKey, listener: LiveListener): () => void
  /**
   * The open minutes of all partitions now, each minute once, oldest first. Never rejects and takes a bounded time; what
   * is not known then is missing.
   */
  openMinutes(server: ServerKey): Promise<LiveMinute[]>
  /** Instant up to which every minute is closed, where one process owns all partitions; 0: ask the store. */
  completeThroughMs(): number
  /**
   * Names the connection; undefined while there is none. While it stays the same, a server watched under it misses
   * nothing that was sent.
   */
  readonly connectionId: number | undefined
}

/** Unique per server; ids hold no control characters. */
export function keyOfServer(server: ServerKey): string {
  return `${server.tenantId}\u0001${server.serverId}`
}
