/**
 * What a client of the simulated log sees of one partition, and whether it is still the log it has read: by the code of the log on
 * Kafka (log-trail.ts), which is told no more than a broker would tell. Each read is a fetch; nothing is fetched ahead.
 */
import { LogTrail } from '@minutely/lib/kafka-log/log-trail'
import type { LogAnchor, LogGap, LogPartition, LogRecord } from '@minutely/lib/sample-log/sample-log'
import type { PartitionLog, SimLogStorage, StoredRecord } from './sim-log-storage.ts'
import type { SimWorld } from './sim-world.ts'

/** As with the defaults of the log on Kafka: less than a topic is absent that is made anew. */
const unseenMsMax = 1_000
const broker = { nodeId: 0 }

export interface SimLogViewDeps {
  readonly world: SimWorld
  readonly storage: SimLogStorage
  readonly trustsPositions?: boolean | undefined
}

export class SimLogView {
  readonly #partition: LogPartition
  readonly #deps: SimLogViewDeps
  readonly #trail = new LogTrail({ unseenMsMax })
  #next = -1

  constructor(partition: LogPartition, deps: SimLogViewDeps) {
    this.#partition = partition
    this.#deps = deps
  }

  seek(position: number, anchor: LogAnchor | undefined): void {
    if (position === this.#next && this.#trail.leadsOnFrom(anchor)) return
    this.#trail.begin(anchor)
    this.#next = position
  }

  /** A read failed. */
  break(): void {
    this.#trail.break()
  }

  /** What there is from where it was sought. @throws when there is no such partition now. */
  look(): { readonly log: PartitionLog; readonly gap?: LogGap; readonly found: readonly StoredRecord[] } {
    const log = this.#log()
    const { storage, world } = this.#deps
    const position = this.#next
    const proof = this.#prove(log)
    const gap = proof === 'missing' ? rewound(log, position) : gapAt(log, position)
    if (gap !== undefined) {
      this.#next = -1
      return { log, gap, found: [] }
    }
    if (proof === 'unclear') return { log, found: [] }
    this.#trail.followed(world.nowMs, fetched([]))
    return { log, found: storage.readable(log, position) }
  }

  /** These were read of what was found. */
  take(records: readonly LogRecord[]): LogAnchor | undefined {
    const last = records.at(-1)
    if (last === undefined) return undefined
    this.#next = last.position + 1
    this.#trail.followed(this.#deps.world.nowMs, fetched(records))
    return this.#trail.given({ position: last.position, appendedAtMs: last.appendedAtMs })
  }

  #log(): PartitionLog {
    try {
      return this.#deps.storage.get(this.#partition)
    } catch (error) {
      this.#trail.break()
      throw error
    }
  }

  #prove(log: PartitionLog): ReturnType<LogTrail['prove']> {
    const { storage, world, trustsPositions = false } = this.#deps
    const anchor = this.#trail.toProve({ ...broker, nowMs: world.nowMs })
    if (anchor === undefined || trustsPositions) return 'found'
    if (anchor.position < log.oldest) {
      this.#trail.lose()
      return 'found'
    }
    if (anchor.position >= log.end) return 'missing'
    return this.#trail.prove(anchor, fetched(storage.readable(log, anchor.position)))
  }
}

function fetched(records: readonly LogRecord[]): Parameters<LogTrail['prove']>[1] {
  const last = records.at(-1)
  return {
    records: records.map(({ position: offset, appendedAtMs: timestampMs }) => ({ offset, timestampMs })),
    nextOffset: last && last.position + 1,
  }
}

function gapAt(log: PartitionLog, position: number): LogGap | undefined {
  if (position < log.oldest) return { fromPosition: position, toPosition: log.oldest, reason: 'retention' }
  return position > log.end ? rewound(log, position) : undefined
}

function rewound({ oldest }: PartitionLog, position: number): LogGap {
  return { fromPosition: position, toPosition: oldest, reason: 'rewound' }
}
