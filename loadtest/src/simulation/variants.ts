/**
 * Aggregators that are broken on purpose, made from the outside by wrapping what the real one is given: each a mistake that the order of
 * aggregator/src/consume.ts forbids. A simulation that does not catch them within some hundred seeds is too tame.
 */
import type { FoldTrial } from '@minutely/aggregator/fold-trial'
import type { mergeRow } from '@minutely/aggregator/merge-minute'
import type { MinuteStore } from '@minutely/aggregator/minute-store'
import type { RingPush } from '@minutely/aggregator/ring-push'
import type { RecentRing } from '@minutely/lib/recent-ring/recent-ring'
import type { LogPartition, LogRecord, SampleLog } from '@minutely/lib/sample-log/sample-log'
import { decodeLogPayload } from '@minutely/schema/log-payload'
import type { FaultPlan } from './fault-plan.ts'
import { logWith } from './log-with.ts'
import { nameOf } from './sim-log-storage.ts'

export interface VariantParts {
  readonly sampleLog: SampleLog
  readonly minuteStore: MinuteStore
  readonly trial: Pick<FoldTrial, 'fold' | 'stop'>
}

export interface Variant {
  readonly name: string
  /** What is wrong with it. */
  readonly mistake: string
  readonly wrap?: (parts: VariantParts) => Partial<VariantParts>
  readonly merge?: typeof mergeRow
  readonly trustsIds?: boolean
  readonly trustsPositions?: boolean
  readonly ignoresDirty?: boolean
  /** What it takes to show within some hundred seeds, where the mistake is rare. */
  readonly faults?: Partial<FaultPlan>
  /** Called in the transaction of a flush, when all but its COMMIT is done. */
  readonly beforeCommit?: (push: RingPush, ring: RecentRing) => Promise<unknown>
}

export const soundVariant: Variant = { name: 'sound', mistake: 'none' }

/** The database loses commits, and owners die before they notice. */
const lossy: Partial<FaultPlan> = {
  ...{ storeRewinds: 10, commitsLost: 3, aggregatorCrashes: 20, aggregatorCount: 2, tight: true, pushFails: 0 },
}

export const brokenVariants: readonly Variant[] = [
  {
    name: 'commit-before-store',
    mistake: 'the position is written, in log and store, before the minutes are',
    wrap: ({ minuteStore }) => {
      const store: MinuteStore['store'] = async (flush, deps) => {
        const { version } = await minuteStore.store({ ...flush, minutes: [] }, deps)
        return minuteStore.store({ ...flush, version }, deps)
      }
      return { minuteStore: storeWith(minuteStore, { store }) }
    },
  },
  {
    name: 'watermark-by-host-clock',
    mistake: "a minute closes by the newest sample's own time instead of the log's append time",
    // It looks into the records itself.
    faults: { deadlyRecords: 0, poisonRecords: 0 },
    wrap: ({ sampleLog }) => {
      const sampleLogByHosts = logWith(sampleLog, (consumer) => ({
        read: async (request) => {
          const batch = await consumer.read(request)
          return {
            ...batch,
            records: batch.records.map((record) => ({ ...record, appendedAtMs: newestSampleMs(record) })),
          }
        },
      }))
      return { sampleLog: sampleLogByHosts }
    },
  },
  {
    name: 'replace-instead-of-merge',
    mistake: 'a minute that comes again replaces what is stored',
    merge: (_stored, incoming) => incoming,
  },
  {
    name: 'open-minutes-forgotten',
    mistake: 'the position that is kept is the last record read, not the first one that an open minute still needs',
    wrap: ({ sampleLog, minuteStore }) => {
      const readTo = new Map<string, number>()
      const reading = logWith(sampleLog, (consumer) => ({
        read: async (request) => {
          const batch = await consumer.read(request)
          readTo.set(nameOf(request.partition), batch.nextPosition)
          return batch
        },
        commit: (partition, position) => consumer.commit(partition, readTo.get(nameOf(partition)) ?? position),
      }))
      const store: MinuteStore['store'] = (flush, deps) =>
        minuteStore.store({ ...flush, resumeAt: readTo.get(nameOf(flush.partition)) ?? flush.resumeAt }, deps)
      return { sampleLog: reading, minuteStore: storeWith(minuteStore, { store }) }
    },
  },
  {
    name: 'ring-before-store',
    mistake: 'the ring learns of minutes before their transaction is committed',
    beforeCommit: async ({ identity, copied, merged }, ring) => {
      for (const rows of [copied, merged]) if (rows.count > 0) await ring.push(identity, rows)
    },
  },
  {
    name: 'late-data-while-sealing',
    mistake: 'the rows of an hour are dropped although late data came while they were packed',
    ignoresDirty: true,
    faults: { sealing: true, sealSpanMinutes: 1, sealDelayMs: 0 },
  },
  {
    name: 'never-careful',
    mistake: 'however many owners of a partition have died, the next one folds what they did',
    faults: { deadlyRecords: 1 },
    wrap: ({ minuteStore }) => {
      const beginRun = (partition: LogPartition): Promise<number> => minuteStore.beginRun(partition).then(() => 1)
      return { minuteStore: storeWith(minuteStore, { beginRun }) }
    },
  },
  {
    name: 'loss-not-asked',
    mistake: 'whoever resumes does not ask whether the database has lost what the log was told to forget',
    faults: lossy,
    wrap: ({ minuteStore }) => {
      const readProgress: MinuteStore['readProgress'] = async (partition, since) => ({
        ...(await minuteStore.readProgress(partition, since)),
        isBehind: false,
      })
      return { minuteStore: storeWith(minuteStore, { readProgress }) }
    },
  },
  {
    name: 'ring-never-void',
    mistake: 'the ring stays in use when it may have what the database lost, or lacks what was merged',
    faults: { pushFails: 0.5 },
    wrap: ({ minuteStore }) => ({ minuteStore: storeWith(minuteStore, { voidRing: async () => {} }) }),
  },
  {
    name: 'accuses-by-deaths',
    mistake: 'that owners died is taken for a verdict on the records that the next one reads',
    faults: { deadlyRecords: 1 },
    wrap: ({ trial }) => {
      const fold: FoldTrial['fold'] = async () => ({ kind: 'died', how: 'as the owners before it' })
      return { trial: { fold, stop: () => trial.stop() } }
    },
  },
]

/** Mistakes that were ours until a seed showed them. */
export const formerVariants: readonly Variant[] = [
  {
    name: 'ids-not-looked-for',
    mistake:
      'a database that is set back between giving out ids and the next flush gives them to other series unnoticed',
    trustsIds: true,
    faults: { storeRewinds: 12, commitsLost: 2, statementSlow: 0.5 },
  },
  {
    name: 'positions-trusted',
    mistake: 'a topic that was made anew and filled past the position is taken for the one that was read',
    trustsPositions: true,
    faults: { topicsMadeAnew: 2, storeOutages: 2 },
  },
]

export function variantNamed(name: string): Variant | undefined {
  return [soundVariant, ...brokenVariants, ...formerVariants].find((variant) => variant.name === name)
}

function storeWith(inner: MinuteStore, changed: Partial<MinuteStore>): MinuteStore {
  return {
    readProgress: (partition, mark) => inner.readProgress(partition, mark),
    beginProgress: (partition, reached) => inner.beginProgress(partition, reached),
    announce: (added, progress, deps) => inner.announce(added, progress, deps),
    store: (flush, deps) => inner.store(flush, deps),
    recordGap: (gap, progress) => inner.recordGap(gap, progress),
    voidRing: (reason, only) => inner.voidRing(reason, only),
    forget: () => inner.forget(),
    beginRun: (partition) => inner.beginRun(partition),
    finishRun: (partition) => inner.finishRun(partition),
    dropExpired: (retention, nowMs) => inner.dropExpired(retention, nowMs),
    retire: (sampleLog) => inner.retire(sampleLog),
    ...changed,
  }
}

function newestSampleMs({ payload }: LogRecord): number {
  const ends = decodeLogPayload(payload).sections.map(({ startMs, stepMs, slotCount }) => startMs + stepMs * slotCount)
  return Math.max(...ends)
}
