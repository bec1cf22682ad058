import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { SystemClock, VirtualClock } from '../clock.ts'
import type { Pool, PostgresConnection } from '../postgres/pool.ts'
import { createTestDatabase, silentLog } from '../postgres/test-database.ts'
import { all, deadLettersContract } from './dead-letters-contract.ts'
import { PostgresSampleLog } from './postgres-sample-log.ts'
import type { SampleLog } from './sample-log.ts'
import { type SampleLogUnderTest, sampleLogContract } from './sample-log-contract.ts'

const config = { partitionCount: 2, keepMs: 600_000, sizeBytesMax: 1 << 30, tailBytesMax: 1 << 20, deadLettersMax: 100 }
const storages = new WeakMap<SampleLog, { connection: PostgresConnection; pool: Pool }>()
const opened: SampleLog[] = []
after(async () => {
  for (const log of opened) await log.stop()
})

async function open(
  storage: { connection: PostgresConnection; pool: Pool },
  tailBytesMax = config.tailBytesMax,
): Promise<SampleLog> {
  const log = new PostgresSampleLog(
    { ...config, tailBytesMax },
    { ...storage, clock: new SystemClock(), log: silentLog },
  )
  storages.set(log, storage)
  opened.push(log)
  await log.start()
  return log
}

function underTest(tailBytesMax?: number): SampleLogUnderTest {
  const storageOf = (log: SampleLog) => storages.get(log) ?? assert.fail('unknown log')
  return {
    create: async () => open(await createTestDatabase(), tailBytesMax),
    reopen: async (log) => open(storageOf(log), tailBytesMax),
    truncate: async (log, { partition, position }) => {
      const statement = 'delete from log_record where partition = $1 and position < $2'
      await storageOf(log).pool.query(statement, [partition.partition, position])
    },
  }
}

sampleLogContract('postgres without a tail', underTest(0))
sampleLogContract('postgres', underTest())
deadLettersContract('dead letters in postgres', underTest())

test('dead letters beyond their number go, oldest first', async () => {
  const log = await open(await createTestDatabase())
  const place = { topic: 'minutely.samples', partition: 0, appendedAtMs: 0 }
  for (let position = 0; position < config.deadLettersMax + 3; position++) {
    await log.deadLetters.add({ ...place, position, reason: 'undecodable', detail: '', payload: Buffer.alloc(0) })
  }
  const positions = (await all(log.deadLetters)).map(({ position }) => position)
  assert.equal(positions.length, config.deadLettersMax)
  assert.equal(positions[0], 3)
})

test('segments are dropped when read by all and old enough, and never before', async () => {
  const storage = await createTestDatabase()
  const clock = new VirtualClock(1_800_000_000_000)
  const log = new PostgresSampleLog(config, { ...storage, clock, log: silentLog })
  opened.push(log)
  await log.start()
  const partition = log.route({ tenantId: 'default', serverId: 'a' })
  const consumer = await log.join('aggregators', { assigned: () => {}, revoked: () => {} })
  await log.append([{ ...partition, payload: Buffer.from('old') }])
  const segments = async (): Promise<number> => {
    const { rows } = await storage.pool.query(`select count(*)::int as n from log_record where partition = $1`, [
      partition.partition,
    ])
    return rows[0].n
  }
  const maintained = async (): Promise<void> => {
    // A fresh instance maintains once when it starts.
    const other = new PostgresSampleLog(config, { ...storage, clock, log: silentLog })
    await other.start()
    await other.stop()
  }
  await clock.advance(3_600_000)
  await maintained()
  assert.equal(await segments(), 1, 'unread: kept, however old')
  await consumer.commit(partition, 1)
  await maintained()
  assert.equal(await segments(), 0, 'read and old: gone')
  await log.append([{ ...partition, payload: Buffer.from('new') }])
  await consumer.commit(partition, 2)
  await maintained()
  assert.equal(await segments(), 1, 'read but young: kept')
  await consumer.commit(partition, 0)
  assert.equal((await consumer.committed(partition)).position, 2, 'a commit never goes back')
})

test('an append past the size limit is refused as full', async () => {
  const storage = await createTestDatabase()
  const log = new PostgresSampleLog(
    { ...config, sizeBytesMax: 0 },
    { ...storage, clock: new SystemClock(), log: silentLog },
  )
  opened.push(log)
  await log.start()
  const partition = log.route({ tenantId: 'default', serverId: 'a' })
  await assert.rejects(log.append([{ ...partition, payload: Buffer.alloc(10) }]), {
    name: 'LogUnavailableError',
    full: 'readers-lag',
  })
})

test('a stored payload that is damaged comes back empty, and its neighbours as they were', async () => {
  const storage = await createTestDatabase()
  const log = await open(storage, 0)
  const partition = log.route({ tenantId: 'default', serverId: 'a', metricId: 'm' })
  const payload = Buffer.alloc(5_000, 'abc')
  await log.append(['good', 'damaged', 'good'].map(() => ({ ...partition, payload })))
  await storage.pool.query(
    `update log_record set payload = set_byte(payload, 20, 255 - get_byte(payload, 20)) where position = 1`,
  )
  const consumer = await log.join('readers', { assigned: () => {}, revoked: () => {} })
  const { records } = await consumer.read({ partition, position: 0, bytesMax: 1 << 20, waitMs: 30_000 })
  assert.deepEqual(
    records.map((record) => record.payload.equals(payload)),
    [true, false, true],
  )
  assert.equal(records[1]?.payload.length, 0)
})
