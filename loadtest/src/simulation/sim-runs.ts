/** The runs of partitions in the simulated database: aggregator/src/partition-runs.ts, statement by statement. */
import type { LogPartition } from '@minutely/lib/sample-log/sample-log'
import { hasBadRecords } from './fault-plan.ts'
import type { SimDatabase } from './sim-database.ts'
import { nameOf } from './sim-log-storage.ts'
import type { SimProcess } from './sim-process.ts'

export interface RunRow {
  readonly unfinished: number
  /** How often one was; for the checker. */
  readonly finishedCount: number
}

export interface SimRunsDeps {
  readonly database: SimDatabase
  readonly process: SimProcess
}

export const runPrefix = 'run '

export function runRow(source: { get<T>(key: string): T | undefined }, partition: LogPartition): RunRow {
  return source.get<RunRow>(runPrefix + nameOf(partition)) ?? { unfinished: 0, finishedCount: 0 }
}

/** @returns how many there are in a row now, this one included. */
export function beginRun(partition: LogPartition, { database, process }: SimRunsDeps): Promise<number> {
  if (!hasBadRecords(database.world.faults)) return Promise.resolve(1)
  return database.single(process, 'begin run', async (transaction) => {
    await transaction.lock(runPrefix + nameOf(partition))
    const row = runRow(transaction, partition)
    const unfinished = row.unfinished + 1
    transaction.put(runPrefix + nameOf(partition), { ...row, unfinished } satisfies RunRow)
    database.world.note(process.name, `begins ${nameOf(partition)}, ${unfinished} unfinished`)
    return unfinished
  })
}

export function finishRun(partition: LogPartition, { database, process }: SimRunsDeps): Promise<void> {
  if (!hasBadRecords(database.world.faults)) return Promise.resolve()
  return database.single(process, 'finish run', async (transaction) => {
    await transaction.lock(runPrefix + nameOf(partition))
    const { finishedCount } = runRow(transaction, partition)
    const row = { unfinished: 0, finishedCount: finishedCount + 1 }
    transaction.put(runPrefix + nameOf(partition), row satisfies RunRow)
  })
}
