/**
 * Locks of the simulated database on keys, exclusive or shared, held to the end of a transaction. Who waits long for one gives up, as a
 * deadlock's victim does.
 */
import type { SimTransaction } from './sim-database.ts'
import type { SimWorld } from './sim-world.ts'

const waitMsMaxOfAll = 1_000

export interface LockWish {
  /** Beside others who share it. */
  readonly isShared?: boolean
  readonly waitMsMax?: number
}

export class LockTimeoutError extends Error {
  override readonly name = 'LockTimeoutError'
}

export class SimLocks {
  readonly #world: SimWorld
  readonly #exclusive = new Map<string, SimTransaction>()
  readonly #shared = new Map<string, Set<SimTransaction>>()
  readonly #queues = new Map<string, (() => void)[]>()

  constructor(world: SimWorld) {
    this.#world = world
  }

  /** Waits for the key. @throws LockTimeoutError */
  async take(key: string, transaction: SimTransaction, wish: LockWish = {}): Promise<void> {
    const { isShared = false, waitMsMax = waitMsMaxOfAll } = wish
    for (let waitedMs = 0; ; ) {
      transaction.assertAlive()
      if (this.#isFree(key, transaction, isShared)) break
      const { promise, resolve } = Promise.withResolvers<void>()
      const queue = this.#queues.get(key) ?? []
      this.#queues.set(key, queue)
      queue.push(resolve)
      const beganMs = this.#world.nowMs
      const cancel = this.#world.clock.schedule(waitMsMax - waitedMs, resolve)
      await promise
      cancel()
      waitedMs += this.#world.nowMs - beganMs
      if (waitedMs >= waitMsMax && !this.#isFree(key, transaction, isShared))
        throw new LockTimeoutError(`deadlock at ${key}`)
    }
    if (isShared) this.#shared.set(key, (this.#shared.get(key) ?? new Set()).add(transaction))
    else this.#exclusive.set(key, transaction)
    transaction.locks.add(key)
  }

  free(transaction: SimTransaction, keys: Iterable<string>): void {
    for (const key of keys) {
      if (this.#exclusive.get(key) === transaction) this.#exclusive.delete(key)
      this.#shared.get(key)?.delete(transaction)
      const queue = this.#queues.get(key)
      this.#queues.delete(key)
      for (const wake of queue ?? []) wake()
    }
  }

  #isFree(key: string, transaction: SimTransaction, isShared: boolean): boolean {
    const owner = this.#exclusive.get(key)
    if (owner !== undefined && owner !== transaction) return false
    return isShared || [...(this.#shared.get(key) ?? [])].every((reader) => reader === transaction)
  }
}
