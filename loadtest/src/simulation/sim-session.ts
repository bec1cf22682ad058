/**
 * A connection that is kept, with what its life decides: whoever holds the sealer's lock holds it as long as its session lives
 * (aggregator/src/sealing/hour-sealer.ts). It ends when the database breaks it, when a statement on it fails (but for a lock that is not to be had), when a transaction on it was
 * rolled back for silence, and soon after its process died; not while that stands still.
 */
import type { SimDatabase, SimTransaction } from './sim-database.ts'
import { LockTimeoutError } from './sim-locks.ts'
import type { SimProcess } from './sim-process.ts'

export class SimSession {
  isOpen = true
  readonly #database: SimDatabase
  readonly #process: SimProcess

  constructor(database: SimDatabase, process: SimProcess) {
    this.#database = database
    this.#process = process
    database.sessions.add(this)
    const { world } = database
    process.onDeath(() => {
      if (this.isOpen) world.clock.schedule(world.random.below(30), () => this.close())
    })
  }

  close(): void {
    this.isOpen = false
    this.#database.sessions.delete(this)
  }

  /** A statement of its own. */
  single<T>(name: string, work: (transaction: SimTransaction) => Promise<T> | T): Promise<T> {
    return this.#guarded(() =>
      this.#database.single(this.#process, name, (transaction) => {
        this.#assertOpen()
        return work(transaction)
      }),
    )
  }

  transaction<T>(work: (transaction: SimTransaction) => Promise<T>): Promise<T> {
    return this.#guarded(() =>
      this.#database.transaction(this.#process, async (transaction) => {
        this.#assertOpen()
        transaction.onAbort = () => this.close()
        try {
          return await work(transaction)
        } catch (error) {
          // Rolled back by us: the connection is whole.
          if (error instanceof LockTimeoutError) transaction.onAbort = () => {}
          throw error
        }
      }),
    )
  }

  async #guarded<T>(work: () => Promise<T>): Promise<T> {
    this.#assertOpen()
    try {
      return await work()
    } catch (error) {
      if (!(error instanceof LockTimeoutError)) this.close()
      throw error
    }
  }

  #assertOpen(): void {
    if (!this.isOpen) throw new Error('the connection is broken')
  }
}
