/** The progress of partitions in the simulated database: aggregator/src/partition-progress.ts, statement by statement. */
import {
  type KnownProgress,
  type ProgressVersion,
  StoreMovedError,
  StoreRewoundError,
} from '@minutely/aggregator/minute-store'
import type { LogPartition } from '@minutely/lib/sample-log/sample-log'
import type { SimTransaction } from './sim-database.ts'
import { nameOf } from './sim-log-storage.ts'
import { type ProgressRow, progressKey } from './sim-tables.ts'

type Reached = Omit<ProgressRow, 'versionUs'>

/** @throws StoreMovedError when the row is a later one, StoreRewoundError when it is an earlier one or gone. */
export function lockProgress(transaction: SimTransaction, { partition, version }: KnownProgress): Promise<void> {
  return transaction.statement('lock progress', async () => {
    await transaction.lock(progressKey(partition))
    const row = transaction.get<ProgressRow>(progressKey(partition))
    const knownUs = version === undefined ? undefined : Number(version)
    if (row?.versionUs === knownUs) return
    const name = nameOf(partition)
    if (row !== undefined && row.versionUs > (knownUs ?? 0))
      throw new StoreMovedError(`${name} has ${row.versionUs}, known is ${version}`)
    throw new StoreRewoundError(`what was stored of ${name} at ${version} is gone`)
  })
}

/** Neither the position nor the instant goes back. */
export function saveProgress(
  transaction: SimTransaction,
  partition: LogPartition,
  reached: Reached,
): Promise<ProgressVersion> {
  return transaction.statement('save progress', async () => {
    await transaction.lock(progressKey(partition))
    const kept = transaction.get<ProgressRow>(progressKey(partition))
    return writeProgress(transaction, partition, {
      position: Math.max(kept?.position ?? 0, reached.position),
      completeThroughMs: Math.max(kept?.completeThroughMs ?? 0, reached.completeThroughMs),
      anchor: reached.anchor ?? kept?.anchor,
    })
  })
}

/** As it is, with a new version, and the anchor if there is one. */
export function touchProgress(
  transaction: SimTransaction,
  { partition, anchor }: KnownProgress,
): Promise<ProgressVersion> {
  return transaction.statement('touch progress', () => {
    const row = transaction.get<ProgressRow>(progressKey(partition))
    return row && writeProgress(transaction, partition, { ...row, anchor: anchor ?? row.anchor })
  })
}

export function resetProgress(
  transaction: SimTransaction,
  partition: LogPartition,
  position: number,
): Promise<ProgressVersion> {
  return transaction.statement('reset progress', () => {
    const row = transaction.get<ProgressRow>(progressKey(partition))
    return row && writeProgress(transaction, partition, { ...row, position, anchor: undefined })
  })
}

function writeProgress(transaction: SimTransaction, partition: LogPartition, reached: Reached): ProgressVersion {
  const key = progressKey(partition)
  const keptUs = transaction.get<ProgressRow>(key)?.versionUs ?? 0
  const versionUs = Math.max(keptUs + 1, transaction.beganUs)
  const { position, completeThroughMs, anchor } = reached
  transaction.put(key, { position, completeThroughMs, anchor, versionUs } satisfies ProgressRow)
  return String(versionUs)
}
