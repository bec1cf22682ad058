import assert from 'node:assert/strict'
import { test } from 'node:test'
import { VirtualClock } from '@minutely/lib/clock'
import { LocalLiveChannel } from '@minutely/lib/live/local-live-channel'
import type { Pool } from '@minutely/lib/postgres/pool'
import { createTestDatabase, silentLog } from '@minutely/lib/postgres/test-database'
import { AbsentRecentRing } from '@minutely/lib/recent-ring/absent-recent-ring'
import type {
  DeadLetters,
  LogConsumer,
  LogPartition,
  PartitionHandler,
  SampleLog,
} from '@minutely/lib/sample-log/sample-log'
import { Registry } from 'prom-client'
import { rigConfig, rigStartMs } from './consumer-rig.ts'
import { PostgresMinuteStore } from './postgres-minute-store.ts'
import { createAggregator } from './service.ts'

const zero: LogPartition = { topic: 'minutely.samples', partition: 0 }

/** A log without records whose assignments the test makes. Reads wait for their signal. */
class EmptyLog implements SampleLog {
  readonly takesBundles = false
  readonly name = 'empty-log'
  handler: PartitionHandler | undefined
  readonly reading = new Map<number, number>()
  left = false

  async start(): Promise<void> {}
  async stop(): Promise<void> {}
  async append(): Promise<void> {}
  async partitions(): Promise<LogPartition[]> {
    return [0, 1].map((partition) => ({ ...zero, partition }))
  }

  readonly deadLetters: DeadLetters = {
    add: async () => {},
    list: async function* () {},
    replay: async () => {},
  }

  route(): LogPartition {
    return zero
  }

  async join(_group: string, handler: PartitionHandler): Promise<LogConsumer> {
    this.handler = handler
    return {
      committed: async () => ({ position: 0 }),
      oldest: async () => 0,
      commit: async () => {},
      leave: async () => {
        this.left = true
      },
      read: async ({ partition, position, signal }) => {
        this.reading.set(partition.partition, (this.reading.get(partition.partition) ?? 0) + 1)
        if (!signal?.aborted) await new Promise((resolve) => signal?.addEventListener('abort', resolve))
        this.reading.set(partition.partition, (this.reading.get(partition.partition) ?? 0) - 1)
        return { records: [], nextPosition: position, atEnd: true }
      },
    }
  }
}

function createService(pool: Pool) {
  const sampleLog = new EmptyLog()
  const live = new LocalLiveChannel()
  const ring = new AbsentRecentRing()
  const deps = {
    sampleLog,
    minuteStore: new PostgresMinuteStore(pool),
    live,
    ring,
    clock: new VirtualClock(rigStartMs),
    log: silentLog,
    registry: new Registry(),
  }
  return { aggregator: createAggregator(rigConfig, deps), sampleLog, live }
}

/** Until Postgres has answered whatever is under way. */
async function until(pool: Pool, condition: () => boolean): Promise<void> {
  while (!condition()) await pool.query('select 1')
}

test('a revoked partition no longer counts, and may be assigned again', async () => {
  const { pool } = await createTestDatabase()
  await pool.query(
    `insert into partition_progress (topic, partition, position, complete_through_at)
     values ('minutely.samples', 0, 0, '2027-01-15 09:00Z'), ('minutely.samples', 1, 0, '2027-01-15 08:00Z')`,
  )
  const { aggregator, sampleLog, live } = createService(pool)
  await aggregator.start()
  assert.equal(aggregator.readiness(), null, 'a member without partitions has nothing to wait for')
  for (const partition of [0, 1]) sampleLog.handler?.assigned({ ...zero, partition })
  await until(pool, () => sampleLog.reading.get(0) === 1 && sampleLog.reading.get(1) === 1)
  assert.equal(live.completeThroughMs(), Date.UTC(2027, 0, 15, 8))
  assert.match(String(aggregator.readiness()), /2 of its 2 partitions have not caught up/)
  sampleLog.handler?.revoked({ ...zero, partition: 1 })
  assert.equal(live.completeThroughMs(), Date.UTC(2027, 0, 15, 9), 'it held back the rest')
  sampleLog.handler?.assigned({ ...zero, partition: 1 })
  // Its progress is read anew.
  await until(pool, () => live.completeThroughMs() === Date.UTC(2027, 0, 15, 8))
  for (const partition of [0, 1]) sampleLog.handler?.revoked({ ...zero, partition })
  assert.equal(aggregator.readiness(), null)
  await aggregator.stop()
})

test('a stop waits for every consumer, leaves the group last, and takes no more partitions', async () => {
  const { pool } = await createTestDatabase()
  const { aggregator, sampleLog } = createService(pool)
  await aggregator.start()
  sampleLog.handler?.assigned(zero)
  await until(pool, () => sampleLog.reading.get(0) === 1)
  const stopping = aggregator.stop()
  sampleLog.handler?.assigned({ ...zero, partition: 7 })
  await stopping
  assert.equal(sampleLog.reading.get(0), 0)
  assert.equal(sampleLog.reading.get(7), undefined)
  assert.equal(sampleLog.left, true)
})
