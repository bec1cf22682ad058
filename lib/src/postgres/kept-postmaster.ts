/**
 * PostgreSQL, kept running while its disk is full: it ends when its log (WAL) finds no room, and cannot start without some. Then
 * what is held back for it is given up, and it is tried again, on the same port, until it runs or stop() is called. Whoever uses it
 * finds its connections broken meanwhile and makes new ones. Nothing that was acknowledged is lost: PostgreSQL acknowledges no
 * commit that it has no room for.
 *
 * An end for any other reason is `exited`, for the owner to judge.
 */
import { setTimeout as delay } from 'node:timers/promises'
import type { EmbeddedCluster } from './embedded-cluster.ts'
import type { Postmaster } from './embedded-postmaster.ts'
import type { EmbeddedServerOptions } from './embedded-server.ts'
import { endPostmaster, isDiskFull, startPostmaster } from './start-postmaster.ts'

const firstPauseMs = 500
const pauseMsMax = 10_000

export class KeptPostmaster {
  readonly #cluster: EmbeddedCluster
  readonly #options: EmbeddedServerOptions
  readonly #stopping = new AbortController()
  readonly #exited = Promise.withResolvers<string>()
  /** The one that runs, or is being started. */
  #postmaster: Postmaster | undefined
  #restarting: Promise<void> = Promise.resolve()

  constructor(cluster: EmbeddedCluster, options: EmbeddedServerOptions) {
    this.#cluster = cluster
    this.#options = options
  }

  get exited(): Promise<string> {
    return this.#exited.promise
  }

  async start(): Promise<Postmaster> {
    const first = await this.#spawn(this.#options.port)
    this.#watch(first)
    return first
  }

  async stop(): Promise<void> {
    this.#stopping.abort()
    await this.#end()
    await this.#restarting
    // One that was about to be spawned.
    await this.#end()
  }

  async #end(): Promise<void> {
    if (this.#postmaster !== undefined) await endPostmaster(this.#postmaster)
  }

  async #spawn(port: number | undefined): Promise<Postmaster> {
    const { onProgress, makeRoom, settings = {} } = this.#options
    await makeRoom?.()
    const onSpawned = (postmaster: Postmaster): void => {
      this.#postmaster = postmaster
    }
    return startPostmaster(this.#cluster, { onProgress, settings, onSpawned, ...(port === undefined ? {} : { port }) })
  }

  #watch(postmaster: Postmaster): void {
    void postmaster.surprise.then((lastWords) => {
      if (isDiskFull(lastWords)) this.#restarting = this.#restart(postmaster.port)
      else this.#exited.resolve(lastWords)
    })
  }

  async #restart(port: number): Promise<void> {
    const { onProgress } = this.#options
    const { signal } = this.#stopping
    onProgress('PostgreSQL ended because the disk is full; starting it again, until there is room')
    for (let pauseMs = firstPauseMs; !signal.aborted; pauseMs = Math.min(pauseMsMax, 2 * pauseMs)) {
      try {
        this.#watch(await this.#spawn(port))
        if (!signal.aborted) onProgress('PostgreSQL runs again')
        return
      } catch (error) {
        const { message } = error as Error
        if (!signal.aborted && !isDiskFull(message)) return this.#exited.resolve(message)
      }
      await delay(pauseMs, undefined, { signal }).catch(() => {})
    }
  }
}
