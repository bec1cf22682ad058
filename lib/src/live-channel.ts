/**
 * Between the aggregator and whoever watches, within one process: closed minutes as they close, provisional ones while
 * they grow. Nothing here is stored, and nothing relies on it for correctness: a viewer that missed an event reads
 * the range again.
 *
 * Work is only done for what somebody watches: the aggregator asks isWatched before it builds an event.
 */
import type { LiveMinute } from '@minutely/schema/query-wire'

export interface ServerKey {
  readonly tenantId: string
  readonly serverId: string
}

/** What the aggregator offers. */
export interface LiveSource {
  /** The open minutes of one server as they are now, oldest first; empty when nothing of it is open. */
  openMinutes(server: ServerKey): LiveMinute[]
  /** Instant up to which every minute is closed; 0 before the first is. */
  completeThroughMs(): number
}

export type LiveListener = (minute: LiveMinute) => void

export class LiveChannel {
  #source: LiveSource | undefined
  readonly #listeners = new Map<string, Set<LiveListener>>()

  /** Called by the aggregator when it starts, with undefined when it stops. */
  connect(source: LiveSource | undefined): void {
    this.#source = source
  }

  openMinutes(server: ServerKey): LiveMinute[] {
    return this.#source?.openMinutes(server) ?? []
  }

  completeThroughMs(): number {
    return this.#source?.completeThroughMs() ?? 0
  }

  isWatched(server: ServerKey): boolean {
    return this.#listeners.has(keyOf(server))
  }

  /** Servers with at least one viewer. */
  get watchedCount(): number {
    return this.#listeners.size
  }

  /** Calls listener for each closed and provisional minute of the server until the returned function is called. */
  watch(server: ServerKey, listener: LiveListener): () => void {
    const key = keyOf(server)
    const listeners = this.#listeners.get(key) ?? new Set()
    // One of its own, so that who watches twice with the same function is two viewers.
    const viewer: LiveListener = (minute) => listener(minute)
    this.#listeners.set(key, listeners.add(viewer))
    return () => {
      listeners.delete(viewer)
      if (listeners.size === 0 && this.#listeners.get(key) === listeners) this.#listeners.delete(key)
    }
  }

  /** Called by the aggregator for each minute it closed of a watched server. */
  publish(server: ServerKey, minute: LiveMinute): void {
    for (const listener of this.#listeners.get(keyOf(server)) ?? []) listener(minute)
  }

  /** Called by the aggregator about every 2 s: sends each viewer the open minutes of its server. */
  publishProvisional(): void {
    if (this.#source === undefined) return
    for (const [key, listeners] of this.#listeners) {
      const [tenantId = '', serverId = ''] = key.split('\u0001')
      for (const minute of this.#source.openMinutes({ tenantId, serverId })) {
        for (const listener of listeners) listener(minute)
      }
    }
  }
}

function keyOf(server: ServerKey): string {
  return `${server.tenantId}\u0001${server.serverId}`
}
