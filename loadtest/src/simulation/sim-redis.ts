/**
 * A simulated Redis, and a process' ring in it. It is flushed, restarted under another run id, slow and away; of two states of a minute it
 * keeps the one that has seen more, as the real one does. Keys have the epoch, so that what stands under another identity is not found.
 */
import { bitCount } from '@minutely/aggregator/roll-up'
import type {
  PushOutcome,
  RecentRing,
  RingIdentity,
  RingReading,
  RingRows,
} from '@minutely/lib/recent-ring/recent-ring'
import type { SimProcess } from './sim-process.ts'
import type { SimWorld } from './sim-world.ts'

/** Halves of 32 and 28 bits. */
export interface RingState {
  readonly seenLow: number
  readonly seenHigh: number
  readonly min: number
  readonly max: number
  readonly sum: number
}

export interface RingKey {
  readonly epoch: string
  readonly seriesId: number
  readonly tag: number
  /** Since the epoch. */
  readonly minute: number
}

export class SimRedis {
  readonly world: SimWorld
  readonly #states = new Map<string, RingState>()
  #restarts = 0
  /** Changes when what was under way can no longer arrive. */
  generation = 0

  constructor(world: SimWorld) {
    this.world = world
  }

  get runId(): string {
    return `redis-${this.#restarts}`
  }

  get(key: RingKey): RingState | undefined {
    return this.#states.get(textOf(key))
  }

  put(key: RingKey, state: RingState): void {
    const text = textOf(key)
    const kept = this.#states.get(text)
    if (kept === undefined || countOf(kept) < countOf(state)) this.#states.set(text, state)
  }

  flush(): void {
    this.#states.clear()
    this.generation++
    this.world.note('redis', 'is flushed')
  }

  restart(): void {
    this.#states.clear()
    this.generation++
    this.#restarts++
    this.world.note('redis', `restarts empty as ${this.runId}`)
  }
}

export class SimRing implements RecentRing {
  readonly hours = 48
  readonly #redis: SimRedis
  readonly #process: SimProcess

  constructor(redis: SimRedis, process: SimProcess) {
    this.#redis = redis
    this.#process = process
  }

  get runId(): string {
    return this.#redis.runId
  }

  push(identity: RingIdentity, rows: RingRows): Promise<PushOutcome> {
    return this.#process.call(() => this.#push(identity, rows))
  }

  async #push(identity: RingIdentity, rows: RingRows): Promise<PushOutcome> {
    const redis = this.#redis
    const { world } = redis
    const { random, faults } = world
    await world.delay(random.skewed(30))
    if (identity.runId !== redis.runId) return 'dropped'
    if (world.chance(faults.pushFails * 0.5)) return 'dropped'
    const { generation } = redis
    const arrive = (): void => {
      if (redis.generation === generation) this.#put(identity, rows)
    }
    if (world.chance(faults.pushFails)) {
      if (random.chance(0.7)) world.clock.schedule(random.between(1, 20_000), arrive)
      return 'late'
    }
    arrive()
    await world.delay(random.skewed(20))
    return 'pushed'
  }

  #put({ epoch }: RingIdentity, rows: RingRows): void {
    for (let row = 0; row < rows.count; row++) {
      const key = {
        epoch,
        seriesId: rows.seriesIds[row] as number,
        tag: rows.tags[row] as number,
        minute: rows.minutes[row] as number,
      }
      this.#redis.put(key, {
        seenLow: rows.seenLow[row] as number,
        seenHigh: rows.seenHigh[row] as number,
        min: rows.min[row] as number,
        max: rows.max[row] as number,
        sum: rows.sum[row] as number,
      })
    }
    this.#redis.world.note(this.#process.name, `pushed ${rows.count} rows under ${epoch}`)
  }

  /** Readers look into SimRedis themselves. */
  async read(): Promise<RingReading | undefined> {
    return undefined
  }

  async fill(identity: RingIdentity, rows: RingRows): Promise<void> {
    await this.#process.call(() => this.#push(identity, rows))
  }

  async marked(): Promise<undefined> {}

  async mark(): Promise<boolean> {
    return false
  }
}

function textOf({ epoch, seriesId, tag, minute }: RingKey): string {
  return `${epoch} ${seriesId}:${tag} ${minute}`
}

/** Any 32 bits. */
export function bitsIn(half: number): number {
  return bitCount(half & 0xffff) + bitCount(half >>> 16)
}

function countOf({ seenLow, seenHigh }: RingState): number {
  return bitsIn(seenLow) + bitsIn(seenHigh)
}
