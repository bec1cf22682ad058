/**
 * What every SampleLog must do, as a suite its implementations' tests call. A failure names the promise of
 * sample-log.ts that was broken.
 */
import assert from 'node:assert/strict'
import { getEventListeners } from 'node:events'
import { test } from 'node:test'
import type { LogBatch, LogConsumer, LogPartition, SampleLog } from './sample-log.ts'

export interface SampleLogUnderTest {
  /** A started log on fresh storage with at least two partitions. */
  create(): Promise<SampleLog>
  /** Another started instance on the same storage, as another process would have. */
  reopen(log: SampleLog): Promise<SampleLog>
}

const series = { tenantId: 'default', serverId: 'web-1', metricId: 'system.cpu.utilization' }
const bytesMax = 1 << 20

export function sampleLogContract(name: string, subject: SampleLogUnderTest): void {
  test(`${name}: route is stable and the same in every instance`, async () => {
    const log = await subject.create()
    const other = await subject.reopen(log)
    for (let server = 0; server < 50; server++) {
      const one = { ...series, serverId: `web-${server}` }
      assert.deepEqual(log.route(one), other.route(one))
    }
  })

  test(`${name}: what was appended is read back in order, with growing positions and append times`, async () => {
    const log = await subject.create()
    const partition = log.route(series)
    const consumer = await joinAndOwn(log, 'readers', partition)
    for (let batch = 0; batch < 5; batch++) {
      await log.append([0, 1, 2].map((index) => ({ ...partition, payload: Buffer.from(`${batch}.${index}`) })))
    }
    const records = await readAll(consumer, partition, 15)
    assert.deepEqual(
      records.map(({ payload }) => payload.toString()),
      [0, 1, 2, 3, 4].flatMap((batch) => [0, 1, 2].map((index) => `${batch}.${index}`)),
    )
    for (let index = 1; index < records.length; index++) {
      assert.ok((records[index]?.position ?? 0) > (records[index - 1]?.position ?? 0))
      assert.ok((records[index]?.appendedAtMs ?? 0) >= (records[index - 1]?.appendedAtMs ?? 0))
    }
  })

  test(`${name}: payloads of any bytes and sizes come back equal`, async () => {
    const log = await subject.create()
    const partition = log.route(series)
    const consumer = await joinAndOwn(log, 'readers', partition)
    const payloads = [0, 1, 255, 2_000, 70_000, 900_000].map((size) =>
      Buffer.from(Array.from({ length: size }, (_, index) => (index * 31 + size) % 256)),
    )
    await log.append(payloads.map((payload) => ({ ...partition, payload })))
    const records = await readAll(consumer, partition, payloads.length)
    records.forEach(({ payload }, index) => {
      assert.ok(payload.equals(payloads[index] as Buffer), `payload ${index} differs`)
    })
  })

  test(`${name}: concurrent appends from two instances are all there, none skipped by a reader at the end`, async () => {
    const log = await subject.create()
    const other = await subject.reopen(log)
    const partition = log.route(series)
    const consumer = await joinAndOwn(log, 'readers', partition)
    const expected = new Set<string>()
    const writing = Promise.all(
      [log, other].flatMap((writer, who) =>
        Array.from({ length: 40 }, async (_, index) => {
          const word = `${who}:${index}`
          expected.add(word)
          await writer.append([{ ...partition, payload: Buffer.from(word) }])
        }),
      ),
    )
    const records = await readAll(consumer, partition, 80)
    await writing
    assert.deepEqual(new Set(records.map(({ payload }) => payload.toString())), expected)
  })

  test(`${name}: a group resumes where it committed, another group still sees everything`, async () => {
    const log = await subject.create()
    const partition = log.route(series)
    const consumer = await joinAndOwn(log, 'aggregators', partition)
    await log.append(['a', 'b', 'c'].map((word) => ({ ...partition, payload: Buffer.from(word) })))
    const records = await readAll(consumer, partition, 3)
    await consumer.commit(partition, records[1]?.position ?? -1)
    await consumer.leave()

    const again = await joinAndOwn(await subject.reopen(log), 'aggregators', partition)
    const resumed = await readAll(again, partition, 2)
    assert.deepEqual(
      resumed.map(({ payload }) => payload.toString()),
      ['b', 'c'],
    )
    const archiver = await joinAndOwn(log, 'archivers', partition)
    assert.equal((await readAll(archiver, partition, 3)).length, 3)
  })

  test(`${name}: a waiting read wakes up for an append of another instance`, async () => {
    const log = await subject.create()
    const partition = log.route(series)
    const consumer = await joinAndOwn(log, 'readers', partition)
    const other = await subject.reopen(log)
    const position = await consumer.committed(partition)
    const waiting = consumer.read({ partition, position, bytesMax, waitMs: 30_000 })
    await other.append([{ ...partition, payload: Buffer.from('wake') }])
    assert.equal((await waiting).records[0]?.payload.toString(), 'wake')
  })

  test(`${name}: an aborted wait returns empty, and says the end was reached`, async () => {
    const log = await subject.create()
    const partition = log.route(series)
    const consumer = await joinAndOwn(log, 'readers', partition)
    const abort = new AbortController()
    const position = await consumer.committed(partition)
    const waiting = consumer.read({ partition, position, bytesMax, waitMs: 30_000, signal: abort.signal })
    abort.abort()
    const batch = await waiting
    assert.equal(batch.records.length, 0)
    assert.equal(batch.atEnd, true)
    assert.equal(batch.nextPosition, position)
  })

  test(`${name}: waiting leaves nothing behind on the signal`, async () => {
    const log = await subject.create()
    const partition = log.route(series)
    const consumer = await joinAndOwn(log, 'readers', partition)
    const { signal } = new AbortController()
    let position = await consumer.committed(partition)
    for (let round = 0; round < 20; round++) {
      const waiting = consumer.read({ partition, position, bytesMax, waitMs: 30_000, signal })
      await log.append([{ ...partition, payload: Buffer.from('x') }])
      position = (await waiting).nextPosition
    }
    assert.equal(getEventListeners(signal, 'abort').length, 0)
  })

  test(`${name}: a read is bounded in bytes but never stuck on a large record`, async () => {
    const log = await subject.create()
    const partition = log.route(series)
    const consumer = await joinAndOwn(log, 'readers', partition)
    await log.append(Array.from({ length: 20 }, () => ({ ...partition, payload: Buffer.alloc(50_000) })))
    const position = await consumer.committed(partition)
    const some = await consumer.read({ partition, position, bytesMax: 120_000, waitMs: 30_000 })
    assert.ok(some.records.length >= 1 && some.records.length < 20, `${some.records.length} records`)
    assert.equal(some.atEnd, false)
    const one = await consumer.read({ partition, position, bytesMax: 10, waitMs: 30_000 })
    assert.equal(one.records.length, 1)
    assert.equal((await readAll(consumer, partition, 20)).length, 20)
  })
}

/** Joins and waits until this member owns the partition. */
async function joinAndOwn(log: SampleLog, group: string, partition: LogPartition): Promise<LogConsumer> {
  const { promise, resolve } = Promise.withResolvers<void>()
  const consumer = await log.join(group, {
    assigned: (owned) => {
      if (owned.topic === partition.topic && owned.partition === partition.partition) resolve()
    },
    revoked: () => {},
  })
  await promise
  return consumer
}

/** Reads on from the committed position until `count` records came. */
async function readAll(consumer: LogConsumer, partition: LogPartition, count: number): Promise<LogBatch['records']> {
  const records: LogBatch['records'][number][] = []
  let position = await consumer.committed(partition)
  while (records.length < count) {
    const batch = await consumer.read({ partition, position, bytesMax, waitMs: 60_000 })
    records.push(...batch.records)
    position = batch.nextPosition
    if (batch.records.length === 0) break
  }
  return records
}
