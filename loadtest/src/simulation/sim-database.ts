/**
 * A simulated Postgres: tables as one map of keys to values, transactions that read what is committed (and what they wrote
 * themselves), locks on keys held to the end of a transaction, and everything that can happen to a connection.
 *
 *   statement   ── on its way (may get lost) ── takes effect at one instant ── answer on its way (may get lost) ──>
 *   commit      all writes at one instant; its answer lost: done all the same
 *   rewind      the last commits are undone: a standby that lagged took over. Transactions under way are gone
 *
 * A transaction whose client says nothing for 5 s is rolled back, as in lib/src/postgres/pool.ts; one that waits long for a lock
 * gives up, as a deadlock's victim does.
 */
import { minuteMs } from '@minutely/schema/limits'
import { type LockWish, SimLocks } from './sim-locks.ts'
import type { SimProcess } from './sim-process.ts'
import type { SimSession } from './sim-session.ts'
import type { Tiers } from './sim-tiers.ts'
import type { SimWorld } from './sim-world.ts'

const idleMsMax = 5_000
/** As many of the last commits can be lost. */
const undoMax = 64

type Undo = readonly (readonly [key: string, before: unknown])[]

/** What was done to spans of minutes, over all processes. */
export interface SealCounts {
  sealed: number
  /** Once more, as late data had come or nobody had come to the end. */
  resealed: number
  /** Late data came before the last step. */
  dirty: number
  /** By retention, which has dropped all that ended before. */
  dropped: number
  droppedBeforeMs: number
}

export class SimDatabase {
  readonly world: SimWorld
  readonly locks: SimLocks
  readonly tiers: Tiers
  /** Connections that are kept. */
  readonly sessions = new Set<SimSession>()
  /** Whose it is seals; another one may when it is closed. */
  sealer: SimSession | undefined
  readonly #values = new Map<string, unknown>()
  /** The same by prefix, each up to its first blank. */
  readonly #tables = new Map<string, Map<string, unknown>>()
  readonly #undo: Undo[] = []
  readonly #open = new Set<SimTransaction>()
  readonly seals: SealCounts = { sealed: 0, resealed: 0, dirty: 0, dropped: 0, droppedBeforeMs: 0 }
  availableAtMs = 0
  rewindCount = 0
  rewoundAtMs = Number.NEGATIVE_INFINITY
  /** Progress was lost that a commit in the log names. */
  lossToldToLogAtMs: number | undefined

  constructor(world: SimWorld) {
    this.world = world
    this.locks = new SimLocks(world)
    this.tiers = { spanMs: world.faults.sealSpanMinutes * minuteMs }
  }

  /** What is committed. */
  get<T>(key: string): T | undefined {
    return this.#values.get(key) as T | undefined
  }

  entries<T>(prefix: string): [string, T][] {
    return [...(this.#table(prefix) as Map<string, T>)]
  }

  /** One transaction, one statement after the other. */
  async transaction<T>(process: SimProcess, work: (transaction: SimTransaction) => Promise<T>): Promise<T> {
    const transaction = new SimTransaction(this, process)
    this.#open.add(transaction)
    try {
      const result = await work(transaction)
      await transaction.commit()
      return result
    } catch (error) {
      transaction.abort()
      throw error
    }
  }

  /** A statement of its own. */
  single<T>(process: SimProcess, name: string, work: (transaction: SimTransaction) => Promise<T> | T): Promise<T> {
    return process.call(async () => {
      await this.arrive(name)
      const transaction = new SimTransaction(this, process)
      this.#open.add(transaction)
      try {
        const result = await work(transaction)
        this.apply(transaction)
        await this.answer(name)
        return result
      } finally {
        transaction.abort()
      }
    })
  }

  async arrive(name: string): Promise<void> {
    const { world } = this
    const { random, faults } = world
    const slow = world.chance(faults.statementSlow * 0.2)
    await world.delay(slow ? random.between(50, 3_000) : random.chance(0.3) ? random.between(1, 20) : 0)
    if (world.nowMs < this.availableAtMs) {
      await world.delay(random.between(1, 500))
      throw new Error(`${name}: the database is away`)
    }
    if (world.chance(faults.statementFails)) throw new Error(`${name}: the connection broke before it`)
  }

  async answer(name: string): Promise<void> {
    const { world } = this
    await world.delay(world.random.chance(0.3) ? world.random.between(1, 20) : 0)
    const isCommit = name === 'commit'
    if (world.chance(isCommit ? world.faults.commitAnswerLost : world.faults.statementFails)) {
      throw new Error(`${name}: the connection broke after it`)
    }
  }

  apply(transaction: SimTransaction): void {
    transaction.assertAlive()
    const undo: [string, unknown][] = []
    for (const [key, value] of transaction.writes) {
      undo.push([key, this.#values.get(key)])
      this.#put(key, value)
    }
    if (undo.length > 0) {
      this.#undo.push(undo)
      if (this.#undo.length > undoMax) this.#undo.shift()
    }
    this.end(transaction)
  }

  end(transaction: SimTransaction): void {
    this.#open.delete(transaction)
    this.locks.free(transaction, transaction.locks)
    transaction.forget()
  }

  /** Loses the last commits. */
  rewind(commits: number): void {
    this.breakConnections()
    let lost = 0
    for (; lost < commits; lost++) {
      const undo = this.#undo.pop()
      if (undo === undefined) break
      for (const [key, before] of undo.toReversed()) this.#put(key, before)
    }
    this.rewindCount++
    this.rewoundAtMs = this.world.nowMs
    this.world.note('database', `lost its last ${lost} commits`)
  }

  breakConnections(): void {
    for (const transaction of [...this.#open]) transaction.abort()
    for (const session of [...this.sessions]) session.close()
  }

  #put(key: string, value: unknown): void {
    const table = this.#table(key.slice(0, key.indexOf(' ') + 1))
    for (const values of [this.#values, table]) {
      if (value === undefined) values.delete(key)
      else values.set(key, value)
    }
  }

  #table(prefix: string): Map<string, unknown> {
    let table = this.#tables.get(prefix)
    if (table === undefined) {
      table = new Map()
      this.#tables.set(prefix, table)
    }
    return table
  }
}

export class SimTransaction {
  readonly writes = new Map<string, unknown>()
  readonly locks = new Set<string>()
  /** What now() is in it, microseconds. */
  readonly beganUs: number
  /** It was rolled back. */
  onAbort: () => void = () => {}
  readonly #database: SimDatabase
  readonly #process: SimProcess
  #isAborted = false
  #isEnded = false
  #cancelIdle: () => void = () => {}

  constructor(database: SimDatabase, process: SimProcess) {
    this.#database = database
    this.#process = process
    this.beganUs = database.world.nowMs * 1_000
    // What is on its way to the server still gets there.
    const { world } = database
    process.onDeath(() => {
      const delayMs = world.random.below(30)
      if (!this.#isEnded) world.clock.schedule(delayMs, () => this.abort())
    })
  }

  get<T>(key: string): T | undefined {
    return this.writes.has(key) ? (this.writes.get(key) as T | undefined) : this.#database.get<T>(key)
  }

  /** Undefined deletes. */
  put(key: string, value: unknown): void {
    this.writes.set(key, value)
  }

  async lock(key: string, wish?: LockWish): Promise<void> {
    await this.#database.locks.take(key, this, wish)
  }

  /** Gives back what a statement that failed had locked and written. */
  rollBackTo(saved: { locks: ReadonlySet<string>; writes: ReadonlyMap<string, unknown> }): void {
    this.#database.locks.free(
      this,
      [...this.locks].filter((key) => !saved.locks.has(key)),
    )
    for (const key of [...this.locks]) if (!saved.locks.has(key)) this.locks.delete(key)
    this.writes.clear()
    for (const [key, value] of saved.writes) this.writes.set(key, value)
  }

  statement<T>(name: string, work: () => Promise<T> | T): Promise<T> {
    return this.#process.call(async () => {
      this.#cancelIdle()
      await this.#database.arrive(name)
      this.assertAlive()
      const result = await work()
      await this.#database.answer(name)
      this.#cancelIdle = this.#database.world.clock.schedule(idleMsMax, () => this.abort())
      return result
    })
  }

  commit(): Promise<void> {
    return this.#process.call(async () => {
      this.#cancelIdle()
      await this.#database.arrive('commit')
      this.#database.apply(this)
      this.#cancelIdle()
      await this.#database.answer('commit')
    })
  }

  /** A process remembers its transactions until it dies: then this one is small. */
  forget(): void {
    this.#isEnded = true
    this.writes.clear()
    this.locks.clear()
  }

  abort(): void {
    if (this.#isAborted) return
    this.#isAborted = true
    if (!this.#isEnded) this.onAbort()
    this.#cancelIdle()
    this.#database.end(this)
  }

  assertAlive(): void {
    if (this.#isAborted) throw new Error('the connection is broken, the transaction rolled back')
  }
}
