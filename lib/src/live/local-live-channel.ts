/** Both sides of the live channel within one process: function calls. The aggregator here owns every partition. */
import type { LiveMinute } from '@minutely/schema/query-wire'
import {
  keyOfServer,
  type LiveListener,
  type LiveReader,
  type LiveSource,
  type LiveWriter,
  type ServerKey,
} from './live-channel.ts'
import { mergeParts } from './merge-parts.ts'

interface Watched {
  readonly server: ServerKey
  readonly listeners: Set<LiveListener>
}

export class LocalLiveChannel implements LiveWriter, LiveReader {
  readonly connectionId: number | undefined = 1
  #source: LiveSource | undefined
  readonly #watched = new Map<string, Watched>()
  #round: { isOver: boolean; failure: unknown } = { isOver: true, failure: undefined }

  connect(source: LiveSource | undefined): void {
    this.#source = source
  }

  async openMinutes(server: ServerKey): Promise<LiveMinute[]> {
    return mergeParts(this.#source?.openMinutes(server) ?? [])
  }

  completeThroughMs(): number {
    return this.#source?.completeThroughMs() ?? 0
  }

  isWatched(server: ServerKey): boolean {
    return this.#watched.has(keyOfServer(server))
  }

  get watchedCount(): number {
    return this.#watched.size
  }

  watch({ tenantId, serverId }: ServerKey, listener: LiveListener): () => void {
    const server = { tenantId, serverId }
    const key = keyOfServer(server)
    const watched = this.#watched.get(key) ?? { server, listeners: new Set() }
    // One of its own, so that who watches twice with the same function is two viewers.
    const viewer: LiveListener = (minute) => listener(minute)
    watched.listeners.add(viewer)
    this.#watched.set(key, watched)
    return () => {
      watched.listeners.delete(viewer)
      if (watched.listeners.size === 0 && this.#watched.get(key) === watched) this.#watched.delete(key)
    }
  }

  publish(server: ServerKey, minute: LiveMinute): void {
    for (const listener of this.#watched.get(keyOfServer(server))?.listeners ?? []) listener(minute)
  }

  /** @throws what the round before failed with. */
  publishProvisional(): void {
    const { failure } = this.#round
    // A round that takes longer than the time between two is more viewers than there is time for: they are told less often.
    if (!this.#round.isOver) return
    this.#round = { isOver: false, failure: undefined }
    this.#publishFrom([...this.#watched.values()], 0)
    if (failure !== undefined) throw failure
  }

  /** Requests go first: hundreds of watched servers are not looked through in one go. */
  #publishFrom(watched: readonly Watched[], at: number): void {
    const next = watched[at]
    if (next === undefined || this.#source === undefined) {
      this.#round.isOver = true
      return
    }
    try {
      for (const minute of this.#source.openMinutes(next.server))
        for (const listener of next.listeners) listener(minute)
    } catch (error) {
      this.#round.failure = error
    }
    setImmediate(() => this.#publishFrom(watched, at + 1))
  }
}
