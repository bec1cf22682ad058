/** The minutes' store in Postgres: the statements are in the files named below, what a process remembers of it is here. */
import type { Pool } from '@minutely/lib/postgres/pool'
import type { RingIdentity } from '@minutely/lib/recent-ring/recent-ring'
import { voidRing } from '@minutely/lib/recent-ring/ring-state'
import type { LogGap, LogPartition, SampleLog } from '@minutely/lib/sample-log/sample-log'
import { recordGap } from './log-gaps.ts'
import { MinutePartitions } from './minute-partitions.ts'
import type {
  FirstProgress,
  Flush,
  FlushDeps,
  KnownProgress,
  MinuteStore,
  ProgressVersion,
  Stored,
  StoredProgress,
} from './minute-store.ts'
import { beginProgress, readProgress } from './partition-progress.ts'
import { beginRun, finishRun } from './partition-runs.ts'
import type { Retention } from './retention.ts'
import { retirePartitions } from './retired-partitions.ts'
import { dropExpired } from './sealing/drop-expired.ts'
import { SeriesDictionary } from './series-dictionary.ts'
import type { SlotEntry } from './series-slots.ts'
import { announceSeries, storeMinutes } from './store-minutes.ts'

const hourMs = 3_600_000

export class PostgresMinuteStore implements MinuteStore {
  readonly #pool: Pool
  readonly #dictionary: SeriesDictionary
  readonly #partitions: MinutePartitions

  constructor(pool: Pool) {
    this.#pool = pool
    this.#dictionary = new SeriesDictionary(pool)
    this.#partitions = new MinutePartitions(pool)
  }

  readProgress(partition: LogPartition, since?: ProgressVersion): Promise<StoredProgress> {
    return readProgress(this.#pool, partition, since)
  }

  beginProgress(partition: LogPartition, reached: FirstProgress): Promise<ProgressVersion> {
    return beginProgress(this.#pool, partition, reached)
  }

  announce(added: readonly SlotEntry[], progress: KnownProgress, deps: FlushDeps): Promise<ProgressVersion> {
    return announceSeries(added, progress, this.#depsWith(deps))
  }

  store(flush: Flush, deps: FlushDeps): Promise<Stored> {
    return storeMinutes(flush, this.#depsWith(deps))
  }

  recordGap(gap: LogGap, progress: KnownProgress): Promise<ProgressVersion> {
    return recordGap(gap, progress, { pool: this.#pool })
  }

  voidRing(reason: string, only?: RingIdentity): Promise<void> {
    return voidRing(this.#pool, reason, only)
  }

  forget(): void {
    this.#dictionary.forget()
    this.#partitions.forget()
  }

  beginRun(partition: LogPartition): Promise<number> {
    return beginRun(this.#pool, partition)
  }

  finishRun(partition: LogPartition): Promise<void> {
    return finishRun(this.#pool, partition)
  }

  async dropExpired(retention: Retention, nowMs: number): Promise<string[]> {
    const hours = await this.#partitions.dropBefore(nowMs - retention.minuteHoursMax * hourMs)
    return [...hours, ...(await dropExpired(this.#pool, retention, nowMs))]
  }

  retire(sampleLog: Pick<SampleLog, 'partitions'>): Promise<string[]> {
    return retirePartitions(sampleLog, this.#pool)
  }

  #depsWith(deps: FlushDeps) {
    return { ...deps, pool: this.#pool, dictionary: this.#dictionary, partitions: this.#partitions }
  }
}
