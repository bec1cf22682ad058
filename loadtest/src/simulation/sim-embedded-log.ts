/**
 * A process' client of the log of the embedded form: log and store are one database. Records are appended by a statement of it, all or
 * none, and the position is committed in the transaction of the minutes. It is away when the database is, and forgets what
 * the database forgets of positions. Its records the database never loses: it has no standby that could lag.
 */
import assert from 'node:assert/strict'
import { type LogPartition, LogUnavailableError, type SampleLog } from '@minutely/lib/sample-log/sample-log'
import { logWith } from './log-with.ts'
import { type SimDatabase, SimTransaction } from './sim-database.ts'
import { type SimLogDeps, SimSampleLog } from './sim-log.ts'
import { nameOf } from './sim-log-storage.ts'

/** What the real port names: the client of a transaction in Postgres. */
type Client = Parameters<NonNullable<Awaited<ReturnType<SampleLog['join']>>['commitWithin']>>[0]

export const commitKey = (partition: LogPartition): string => `commit ${nameOf(partition)}`

export function embeddedLog(deps: SimLogDeps & { readonly database: SimDatabase }): SampleLog {
  const { world, process, storage, database } = deps
  const append: SampleLog['append'] = async (records) => {
    try {
      await database.single(process, 'append', () => {
        for (const record of records) {
          storage.append(record, { payload: record.payload })
          world.note('log', `${nameOf(record)} has ${storage.get(record).end - 1} of ${process.name}`)
        }
      })
    } catch (error) {
      throw new LogUnavailableError((error as Error).message, { cause: error })
    }
  }
  return logWith(
    new SimSampleLog(deps),
    (consumer) => ({
      // Positions of a log in Postgres never come to mean another record.
      read: async (request) => {
        const { anchor: _, ...batch } = await consumer.read(request)
        return batch
      },
      committed: (partition) =>
        database.single(process, 'read commit', () => {
          const { oldest } = storage.get(partition)
          return { position: Math.max(database.get<number>(commitKey(partition)) ?? oldest, oldest) }
        }),
      commitWithin: (client, partition, position) =>
        transactionOf(client).statement('commit position', () => {
          const transaction = transactionOf(client)
          const kept = transaction.get<number>(commitKey(partition)) ?? 0
          transaction.put(commitKey(partition), Math.max(kept, position))
        }),
    }),
    { append, takesBundles: true },
  )
}

/** The simulated store has no other client than its transaction. */
export function clientOf(transaction: SimTransaction): Client {
  return transaction as unknown as Client
}

function transactionOf(client: Client): SimTransaction {
  assert(client instanceof SimTransaction, 'BUG: a position is committed in a transaction of another database')
  return client
}
