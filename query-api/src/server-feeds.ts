/**
 * The feeds of all servers that somebody watches in this process. When complete-through advances each feed is judged
 * (server-feed.ts), and what one misses is read from Postgres: one feed at a time, so that an outage of the live channel
 * costs one connection and the points of one replay, however many servers are watched.
 */
import type { Clock } from '@minutely/lib/clock'
import { keyOfServer, type LiveListener, type LiveReader, type ServerKey } from '@minutely/lib/live/live-channel'
import type { Logger } from '@minutely/lib/logging'
import type { Pool } from '@minutely/lib/postgres/pool'
import { ApiError } from '@minutely/schema/error-catalogue'
import type { LiveMinute } from '@minutely/schema/query-wire'
import type { QueryConfig } from './config.ts'
import { planReplay, readPart } from './live-replay.ts'
import type { QueryMetrics } from './metrics.ts'
import type { PointBudget } from './range-limits.ts'
import { ServerFeed } from './server-feed.ts'
import { inStoreSession, type StoreSession } from './store-session.ts'

export interface ServerFeedsDeps {
  readonly pool: Pool
  readonly live: LiveReader
  readonly clock: Clock
  readonly log: Logger
  readonly metrics: QueryMetrics
  readonly budget: PointBudget
}

export interface FeedListener {
  readonly onMinute: LiveListener
  /** More was missed than is read back: the viewer is to read the range again. */
  readonly onReset: (reset: { readonly reason: string }, completeThroughMs: number) => void
}

export class ServerFeeds {
  readonly #config: QueryConfig
  readonly #deps: ServerFeedsDeps
  readonly #feeds = new Map<string, { readonly feed: ServerFeed; readonly listeners: Set<FeedListener> }>()
  readonly #stopping = new AbortController()
  #reading: Promise<void> | undefined

  constructor(config: QueryConfig, deps: ServerFeedsDeps) {
    this.#config = config
    this.#deps = deps
  }

  /** The server's feed until the returned function is called. */
  join(server: ServerKey, listener: FeedListener): { readonly feed: ServerFeed; leave: () => void } {
    const key = keyOfServer(server)
    const joined = this.#feeds.get(key) ?? { feed: new ServerFeed(server, this.#deps.live), listeners: new Set() }
    this.#feeds.set(key, joined)
    const { feed, listeners } = joined
    listeners.add(listener)
    feed.add(listener.onMinute)
    const leave = (): void => {
      feed.remove(listener.onMinute)
      listeners.delete(listener)
      if (listeners.size === 0 && this.#feeds.get(key) === joined) this.#feeds.delete(key)
    }
    return { feed, leave }
  }

  /** Called whenever complete-through was read. What has to come from Postgres is read in the background. */
  advance(completeThroughMs: number): void {
    const lacking: ServerFeed[] = []
    for (const { feed } of this.#feeds.values()) if (feed.judge(completeThroughMs) === 'read') lacking.push(feed)
    if (lacking.length === 0 || this.#reading !== undefined) return
    this.#reading = this.#readAll(lacking, completeThroughMs).finally(() => {
      this.#reading = undefined
    })
  }

  async stop(): Promise<void> {
    this.#stopping.abort(new Error('the query API is stopping'))
    await this.#reading
  }

  async #readAll(feeds: readonly ServerFeed[], completeThroughMs: number): Promise<void> {
    const { metrics, log } = this.#deps
    for (const feed of feeds) {
      if (this.#stopping.signal.aborted) return
      if (feed.viewerCount === 0) continue
      try {
        await this.#read(feed, completeThroughMs)
        metrics.feedReads.inc({ outcome: 'read' })
      } catch (error) {
        if (this.#stopping.signal.aborted) return
        metrics.feedReads.inc({ outcome: 'failed' })
        log.warn(
          { err: error, ...feed.server },
          'closed minutes of live viewers could not be read; tried again in 2.5 s',
        )
        // Another server may fit into the budget; Postgres is the same for all.
        if (!(error instanceof ApiError && error.id === 'overloaded')) return
      }
    }
  }

  async #read(feed: ServerFeed, completeThroughMs: number): Promise<void> {
    const { clock, live, budget } = this.#deps
    // Before the read: what is lost under a later connection was lost after it.
    const { connectionId } = live
    const { serverId } = feed.server
    const asked = { serverId, lastEventId: String(feed.settledMs), completeThroughMs, nowMs: clock.nowMs() }
    const replay = await this.#run((session) => planReplay(asked, { session, config: this.#config }))
    if (replay.kind === 'reset') {
      feed.settle(completeThroughMs, connectionId)
      const { reason } = replay
      for (const { onReset } of this.#feeds.get(keyOfServer(feed.server))?.listeners ?? []) {
        onReset({ reason }, completeThroughMs)
      }
      return
    }
    const giveBack = budget.take(replay.budgetPoints)
    try {
      let minutes: LiveMinute[] = []
      for (const part of replay.parts) {
        feed.passStored(minutes)
        minutes = await this.#run((session) => readPart(part, replay, session))
      }
      // With the last of them viewers are told that there are no more.
      feed.passStored(minutes, { completeThroughMs, connectionId })
    } finally {
      giveBack()
    }
  }

  #run<T>(work: (session: StoreSession) => Promise<T>): Promise<T> {
    const options = { signal: this.#stopping.signal, timeoutMs: this.#config.timeoutMs }
    return inStoreSession(work, options, this.#deps)
  }
}
