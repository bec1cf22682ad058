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
  /** Drops the records before `position`, as retention does. */
  truncate(log: SampleLog, place: { partition: LogPartition; position: number }): Promise<void>
  /** Deletes the partition's records and positions behind its readers' backs; absent where that cannot happen. */
  makeAnew?(log: SampleLog, partition: LogPartition): Promise<void>
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
    const { position } = await consumer.committed(partition)
    const waiting = consumer.read({ partition, position, bytesMax, waitMs: 30_000 })
    await other.append([{ ...partition, payload: Buffer.from('wake') }])
    assert.equal((await waiting).records[0]?.payload.toString(), 'wake')
  })

  test(`${name}: an aborted wait returns empty, and says the end was reached`, async () => {
    const log = await subject.create()
    const partition = log.route(series)
    const consumer = await joinAndOwn(log, 'readers', partition)
    const abort = new AbortController()
    const { position } = await consumer.committed(partition)
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
    let { position } = await consumer.committed(partition)
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
    const { position } = await consumer.committed(partition)
    const some = await consumer.read({ partition, position, bytesMax: 120_000, waitMs: 30_000 })
    assert.ok(some.records.length >= 1 && some.records.length < 20, `${some.records.length} records`)
    assert.equal(some.atEnd, false)
    const one = await consumer.read({ partition, position, bytesMax: 10, waitMs: 30_000 })
    assert.equal(one.records.length, 1)
    assert.equal((await readAll(consumer, partition, 20)).length, 20)
  })

  test(`${name}: a read that may not wait sees what was appended before it`, async () => {
    const log = await subject.create()
    const partition = log.route(series)
    const consumer = await joinAndOwn(log, 'readers', partition)
    let { position } = await consumer.committed(partition)
    const nothing = await consumer.read({ partition, position, bytesMax, waitMs: 0 })
    assert.deepEqual(nothing, { records: [], nextPosition: position, atEnd: true })
    for (const word of ['a', 'b', 'c']) {
      await log.append([{ ...partition, payload: Buffer.from(word) }])
      const batch = await consumer.read({ partition, position, bytesMax, waitMs: 0 })
      assert.deepEqual(
        batch.records.map(({ payload }) => payload.toString()),
        [word],
      )
      position = batch.nextPosition
    }
  })

  test(`${name}: a reader may go back and read again`, async () => {
    const log = await subject.create()
    const partition = log.route(series)
    const consumer = await joinAndOwn(log, 'readers', partition)
    await log.append(['a', 'b', 'c'].map((word) => ({ ...partition, payload: Buffer.from(word) })))
    const once = await readAll(consumer, partition, 3)
    const again = await readAll(consumer, partition, 3)
    assert.deepEqual(again, once)
  })

  test(`${name}: the partition of a route is one of those there are`, async () => {
    const log = await subject.create()
    const partition = log.route(series)
    await log.append([{ ...partition, payload: Buffer.from('x') }])
    const names = (await log.partitions()).map((one) => `${one.topic}/${one.partition}`)
    assert.ok(names.includes(`${partition.topic}/${partition.partition}`), names.join(' '))
    assert.equal(new Set(names).size, names.length)
  })

  test(`${name}: the oldest position is where the first record is or will be`, async () => {
    const log = await subject.create()
    const partition = log.route(series)
    const consumer = await joinAndOwn(log, 'readers', partition)
    const oldest = await consumer.oldest(partition)
    assert.equal((await consumer.committed(partition)).position, oldest)
    await log.append([{ ...partition, payload: Buffer.from('x') }])
    const [record] = await readAll(consumer, partition, 1)
    assert.equal(record?.position, oldest)
    assert.equal(await consumer.oldest(partition), oldest)
  })

  test(`${name}: a position that retention dropped is a gap up to the oldest record, and reading goes on there`, async () => {
    const log = await subject.create()
    const partition = log.route(series)
    const consumer = await joinAndOwn(log, 'readers', partition)
    await log.append(['a', 'b', 'c', 'd'].map((word) => ({ ...partition, payload: Buffer.from(word) })))
    const [a, , c] = await readAll(consumer, partition, 4)
    assert.ok(a !== undefined && c !== undefined)
    await subject.truncate(log, { partition, position: c.position })
    const other = await joinAndOwn(await subject.reopen(log), 'late', partition)
    const batch = await other.read({ partition, position: a.position, bytesMax, waitMs: 30_000 })
    const gap = { fromPosition: a.position, toPosition: c.position, reason: 'retention' }
    assert.deepEqual(batch, { records: [], nextPosition: c.position, atEnd: false, gap })
    assert.equal(await other.oldest(partition), c.position)
    assert.equal((await other.committed(partition)).position, c.position)
    const rest = await other.read({ partition, position: c.position, bytesMax, waitMs: 30_000 })
    assert.deepEqual(
      rest.records.map(({ payload }) => payload.toString()),
      ['c', 'd'],
    )
  })

  test(`${name}: a position past the end of the log is a gap back to the oldest record, each time it is asked for`, async () => {
    const log = await subject.create()
    const partition = log.route(series)
    const consumer = await joinAndOwn(log, 'readers', partition)
    await log.append([{ ...partition, payload: Buffer.from('x') }])
    const [record] = await readAll(consumer, partition, 1)
    assert.ok(record)
    const fromPosition = record.position + 1_000
    const toPosition = record.position
    for (let time = 0; time < 2; time++) {
      const batch = await consumer.read({ partition, position: fromPosition, bytesMax, waitMs: 30_000 })
      const gap = { fromPosition, toPosition, reason: 'rewound' }
      assert.deepEqual(batch, { records: [], nextPosition: toPosition, atEnd: false, gap })
    }
    const next = await consumer.read({ partition, position: record.position + 1, bytesMax, waitMs: 0 })
    assert.equal(next.gap, undefined)
  })

  test(`${name}: what was read last proves that the log is the same, wherever another reader goes on`, async () => {
    const log = await subject.create()
    const partition = log.route(series)
    const consumer = await joinAndOwn(log, 'readers', partition)
    const words = ['a', 'b', 'c', 'd']
    for (const word of words) await log.append([{ ...partition, payload: Buffer.from(word) }])
    const { anchor, records } = await readTo(consumer, partition, 3)
    assert.ok(anchor === undefined || anchor.position === records.at(-1)?.position)
    const other = await subject.reopen(log)
    for (const [index, { position }] of records.entries()) {
      const late = await joinAndOwn(other, `late-${index}`, partition)
      const batch = await late.read({ partition, position, anchor, bytesMax, waitMs: 30_000 })
      assert.equal(batch.gap, undefined)
      assert.equal(batch.records[0]?.payload.toString(), words[index])
      await late.leave()
    }
  })

  const { makeAnew } = subject
  if (makeAnew === undefined) return
  test(`${name}: a log made anew and filled again is a gap for who comes back, and has another anchor`, async () => {
    const log = await subject.create()
    const partition = log.route(series)
    const consumer = await joinAndOwn(log, 'readers', partition)
    const append = async (word: string): Promise<void> => log.append([{ ...partition, payload: Buffer.from(word) }])
    for (const word of ['a', 'b', 'c']) await append(word)
    const { anchor, nextPosition } = await readTo(consumer, partition, 2)
    assert.ok(anchor)
    await consumer.leave()
    await makeAnew(log, partition)
    for (const word of ['A', 'B', 'C', 'D']) await append(word)
    const other = await subject.reopen(log)
    const late = await joinAndOwn(other, 'late', partition)
    const oldest = await late.oldest(partition)
    for (const position of [nextPosition, oldest, nextPosition]) {
      const batch = await late.read({ partition, position, anchor, bytesMax, waitMs: 30_000 })
      const gap = { fromPosition: position, toPosition: oldest, reason: 'rewound' }
      assert.deepEqual(batch, { records: [], nextPosition: oldest, atEnd: false, gap })
    }
    const anew = await readTo(late, partition, 4)
    assert.deepEqual(
      anew.records.map(({ payload }) => payload.toString()),
      ['A', 'B', 'C', 'D'],
    )
    const again = await joinAndOwn(await subject.reopen(log), 'later', partition)
    const rest = await again.read({ partition, position: oldest, anchor: anew.anchor, bytesMax, waitMs: 30_000 })
    assert.equal(rest.records[0]?.payload.toString(), 'A')
  })
}

/** Joins and waits until this member owns the partition. */
export async function joinAndOwn(log: SampleLog, group: string, partition: LogPartition): Promise<LogConsumer> {
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
export async function readAll(
  consumer: LogConsumer,
  partition: LogPartition,
  count: number,
): Promise<LogBatch['records']> {
  return (await readTo(consumer, partition, count)).records
}

/** As readAll, and where that ends: after `count` records or a few more. */
async function readTo(
  consumer: LogConsumer,
  partition: LogPartition,
  count: number,
): Promise<Pick<LogBatch, 'records' | 'nextPosition' | 'anchor'>> {
  const records: LogBatch['records'][number][] = []
  let { position: nextPosition } = await consumer.committed(partition)
  let anchor: LogBatch['anchor']
  while (records.length < count) {
    const batch = await consumer.read({ partition, position: nextPosition, anchor, bytesMax, waitMs: 60_000 })
    records.push(...batch.records)
    nextPosition = batch.nextPosition
    anchor = batch.anchor ?? anchor
    if (batch.records.length === 0) break
  }
  return { records, nextPosition, ...(anchor && { anchor }) }
}
