/**
 * The records of a simulated log, by partition, and what it has lost. Appending takes effect at one instant; the record becomes
 * readable a little later, as behind a high watermark, but in the order of positions. Positions skip now and then.
 */
import {
  type LogCommit,
  type LogPartition,
  type LogRecord,
  LogUnavailableError,
  type NewDeadLetter,
} from '@minutely/lib/sample-log/sample-log'
import type { SimWorld } from './sim-world.ts'

export interface NewRecord extends Pick<LogRecord, 'payload' | 'unreadable'> {
  /** Nobody can fold it (sim-bad-records.ts). */
  readonly isBad?: boolean
  readonly isDeadly?: boolean
}

export interface StoredRecord extends LogRecord, NewRecord {
  readonly readableAtMs: number
}

export interface PartitionLog extends LogPartition {
  oldest: number
  /** Position of the next record. */
  end: number
  records: StoredRecord[]
  committed: LogCommit | undefined
  /** Between being deleted and made anew. */
  absentUntilMs: number
  /** Readers that wait for a record. */
  readonly waiting: Set<() => void>
}

/** A record that the log has lost on purpose. */
export interface DestroyedRecord extends LogPartition {
  readonly position: number
  readonly payload: Buffer
  readonly isBad: boolean
  readonly reason: 'retention' | 'rewound'
  /** Of a log that was made anew: the database has something by which to know it. */
  isMissed: boolean
  readonly destroyedAtMs: number
}

/** Longer than a reader may leave a partition unseen without having to prove that it is the same (lib/src/kafka-log/log-trail.ts). */
const absentMs = 1_500
/** Less than what an idle partition is behind the wall clock (aggregator/src/watermark.ts), with the skew of its owner. */
const unreadableMsMax = 600

export class SimLogStorage {
  readonly partitions = new Map<string, PartitionLog>()
  readonly destroyed: DestroyedRecord[] = []
  readonly letters: NewDeadLetter[] = []
  readonly #world: SimWorld

  constructor(world: SimWorld) {
    this.#world = world
  }

  create(topic: string, partition: number): void {
    const key = nameOf({ topic, partition })
    if (this.partitions.has(key)) return
    const log = {
      topic,
      partition,
      oldest: 0,
      end: 0,
      records: [],
      committed: undefined,
      absentUntilMs: 0,
      waiting: new Set<() => void>(),
    }
    this.partitions.set(key, log)
  }

  get(partition: LogPartition): PartitionLog {
    const log = this.partitions.get(nameOf(partition))
    if (log === undefined || this.#world.nowMs < log.absentUntilMs) {
      throw new LogUnavailableError(`there is no partition ${nameOf(partition)}`)
    }
    return log
  }

  /** @returns when it can be read. */
  append(partition: LogPartition, record: NewRecord): number {
    const { nowMs, random } = this.#world
    const log = this.get(partition)
    const last = log.records.at(-1)
    const appendedAtMs = Math.max(nowMs, last?.appendedAtMs ?? 0)
    const readableAtMs = Math.max(nowMs + random.skewed(unreadableMsMax), last?.readableAtMs ?? 0)
    if (random.chance(0.05)) log.end += random.between(1, 3)
    log.records.push({ ...record, position: log.end, appendedAtMs, readableAtMs })
    log.end++
    this.#world.clock.schedule(readableAtMs - nowMs, () => {
      for (const wake of [...log.waiting]) wake()
    })
    return readableAtMs
  }

  /** Readable records from a position on. */
  readable(log: PartitionLog, position: number): StoredRecord[] {
    const { nowMs } = this.#world
    const { records } = log
    // Neither goes back from one record to the next.
    const from = firstOf(records, (record) => record.position >= position)
    const to = firstOf(records, (record) => record.readableAtMs > nowMs)
    return records.slice(from, to)
  }

  /** Retention overran the readers: the older part goes. */
  truncate(log: PartitionLog): void {
    const keep = this.#world.random.below(log.records.length + 1)
    const gone = log.records.splice(0, log.records.length - keep)
    this.#destroy(log, gone, { reason: 'retention', isMissed: true })
    log.oldest = log.records[0]?.position ?? log.end
  }

  /** The topic is deleted and made anew a little later: positions begin again, commits are gone. */
  makeAnew(log: PartitionLog, isMissed: boolean): void {
    this.#destroy(log, log.records, { reason: 'rewound', isMissed })
    Object.assign(log, { oldest: 0, end: 0, records: [], committed: undefined })
    log.absentUntilMs = this.#world.nowMs + absentMs
    for (const wake of [...log.waiting]) wake()
  }

  #destroy(
    log: PartitionLog,
    records: readonly StoredRecord[],
    why: Pick<DestroyedRecord, 'reason' | 'isMissed'>,
  ): void {
    const { topic, partition } = log
    const destroyedAtMs = this.#world.nowMs
    for (const { position, payload, isBad = false } of records) {
      this.destroyed.push({ topic, partition, position, payload, isBad, destroyedAtMs, ...why })
    }
    this.#world.note('log', `${nameOf(log)} lost ${records.length} records: ${why.reason}`)
  }
}

/** Where a condition begins to hold, which then holds to the end. */
function firstOf<T>(list: readonly T[], holds: (one: T) => boolean): number {
  let [from, to] = [0, list.length]
  while (from < to) {
    const middle = (from + to) >> 1
    if (holds(list[middle] as T)) to = middle
    else from = middle + 1
  }
  return from
}

export function nameOf({ topic, partition }: LogPartition): string {
  return `${topic}/${partition}`
}
