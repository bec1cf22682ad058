/** The Kafka log against a real broker: the contract of every log, then what only Kafka can do to us. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import { SystemClock } from '../clock.ts'
import { deadLettersContract } from '../sample-log/dead-letters-contract.ts'
import type { LogConsumer, LogPartition, LogRecord } from '../sample-log/sample-log.ts'
import { joinAndOwn, readAll, sampleLogContract } from '../sample-log/sample-log-contract.ts'
import type { KafkaSampleLog } from './kafka-sample-log.ts'
import { PlainFraming, type RecordFraming, SchemaUnavailableError, UnreadableRecordError } from './record-framing.ts'
import { kafkaUnderTest, makeTopicAnew, openLog, testConfig } from './test-kafka.ts'

sampleLogContract('kafka', kafkaUnderTest)
deadLettersContract('dead letters in kafka', kafkaUnderTest)

const series = { tenantId: 'default', serverId: 'web-1', metricId: 'system.cpu.utilization' }
const bytesMax = 1 << 20
const keyOf = ({ topic, partition }: LogPartition): string => `${topic}/${partition}`
const words = (records: readonly LogRecord[]): string[] => records.map(({ payload }) => payload.toString())

/** A member that knows what it owns. */
class Member {
  readonly owned = new Set<string>()
  /** Of everything ever assigned and revoked, in order: `+topic/0`, `-topic/0`. */
  readonly history: string[] = []
  consumer: LogConsumer | undefined
  #changed = Promise.withResolvers<void>()

  static async join(log: KafkaSampleLog, group = 'readers'): Promise<Member> {
    const member = new Member()
    member.consumer = await log.join(group, {
      assigned: (partition) => member.#note(`+${keyOf(partition)}`, () => member.owned.add(keyOf(partition))),
      revoked: (partition) => member.#note(`-${keyOf(partition)}`, () => member.owned.delete(keyOf(partition))),
    })
    return member
  }

  /** Until a condition holds that assignments decide. */
  static async until(members: readonly Member[], condition: () => boolean): Promise<void> {
    while (!condition()) await Promise.race(members.map((member) => member.#changed.promise))
  }

  get reader(): LogConsumer {
    return this.consumer ?? assert.fail('has not joined')
  }

  #note(event: string, apply: () => void): void {
    apply()
    this.history.push(event)
    this.#changed.resolve()
    this.#changed = Promise.withResolvers()
  }
}

/** Every partition has exactly one owner. */
function isSharedOut(members: readonly Member[], partitionCount: number): boolean {
  const owned = members.flatMap((member) => [...member.owned])
  return owned.length === partitionCount && new Set(owned).size === partitionCount
}

/** Enough that every member has some of their 32 partitions, however they hash. */
const someMetrics = Array.from({ length: 16 }, (_, index) => `metric.${index}`)

test('members share the partitions, a third takes its part, and who dies without a word is replaced', async () => {
  const { log, config } = await openLog()
  await log.prepare(someMetrics)
  const first = await Member.join(log)
  await Member.until([first], () => first.owned.size === 32)
  const doomed = (await openLog(config)).log
  const second = await Member.join(doomed)
  await Member.until([first, second], () => isSharedOut([first, second], 32))
  // Only what moved was touched: nothing that stayed was revoked in between.
  const kept = [...first.owned].filter((key) => first.history.includes(`-${key}`))
  assert.deepEqual(kept, [])
  const third = await Member.join((await openLog(config)).log)
  const all = [first, second, third]
  await Member.until(all, () => third.owned.size > 0 && isSharedOut(all, 32))
  for (const { owned } of all) assert.ok(owned.size >= 1, `${all.map((member) => member.owned.size)}`)

  // Its connections are gone as after kill -9; nobody says goodbye.
  doomed.cluster.wire.close()
  await Member.until([first, third], () => isSharedOut([first, third], 32))
  await Member.until([second], () => second.owned.size === 0)
})

test('who leaves is replaced without waiting for a session to end', async () => {
  const { log, config } = await openLog(testConfig({ sessionTimeoutMs: 1_000_000, rebalanceTimeoutMs: 1_000_000 }))
  await log.prepare(someMetrics)
  const first = await Member.join(log)
  const second = await Member.join((await openLog(config)).log)
  await Member.until([first, second], () => isSharedOut([first, second], 32))
  await second.reader.leave()
  assert.equal(second.owned.size, 0)
  await Member.until([first], () => first.owned.size === 32)
})

test('a commit has a mark that the next owner gets, and may go back', async () => {
  const { log, config } = await openLog()
  await log.prepare(['one'])
  const first = await Member.join(log)
  await Member.until([first], () => first.owned.size > 0)
  const [partition] = await log.partitions()
  assert.ok(partition)
  assert.equal((await first.reader.committed(partition)).mark, undefined)
  await first.reader.commit(partition, 0, 'a version')
  await first.reader.commit(partition, 7, '2027-01-15 09:57:00.123456+00')
  await first.reader.leave()
  const second = await Member.join((await openLog(config)).log)
  await Member.until([second], () => second.owned.size > 0)
  assert.deepEqual(await second.reader.committed(partition), { position: 7, mark: '2027-01-15 09:57:00.123456+00' })
  await second.reader.commit(partition, 3)
  assert.deepEqual(await second.reader.committed(partition), { position: 3, mark: undefined })
})

test('running members find a new topic without a rebalance, and read its first record', async () => {
  const { log, config, registry } = await openLog()
  const member = await Member.join(log)
  const writer = (await openLog(config)).log
  const partition = writer.route(series)
  await writer.append([{ ...partition, payload: Buffer.from('first') }])
  await Member.until([member], () => member.owned.has(keyOf(partition)))
  assert.deepEqual(words(await readAll(member.reader, partition, 1)), ['first'])
  const rebalances = await registry.getSingleMetric('minutely_kafka_rebalances_total')?.get()
  assert.deepEqual(
    rebalances?.values.map(({ value }) => value),
    [1],
  )
})

test('a member that does not read for longer than its session keeps its partitions', async () => {
  const { log } = await openLog()
  await log.prepare([series.metricId])
  const partition = log.route(series)
  const member = await Member.join(log)
  await Member.until([member], () => member.owned.has(keyOf(partition)))
  // That the time has passed is proved by another group with sessions as long: its dead member has been given up.
  const other = await openLog(testConfig())
  await other.log.prepare(someMetrics)
  const dying = (await openLog(other.config)).log
  const dead = await Member.join(dying)
  const heir = await Member.join(other.log)
  await Member.until([dead, heir], () => dead.owned.size > 0 && isSharedOut([dead, heir], 32))
  dying.cluster.wire.close()
  await Member.until([heir], () => heir.owned.size === 32)
  assert.deepEqual(
    member.history.filter((event) => event.startsWith('-')),
    [],
  )
  await log.append([{ ...partition, payload: Buffer.from('later') }])
  assert.deepEqual(words(await readAll(member.reader, partition, 1)), ['later'])
})

test('metrics past the limit share topics, and routes that were remembered still lead somewhere', async () => {
  const { log, config } = await openLog(testConfig({ topicsMax: 2, sharedTopicCount: 3 }))
  const late = (await openLog(config)).log
  // Remembered before anybody filled the room.
  const remembered = late.route({ ...series, metricId: 'late' })
  assert.equal(remembered.topic, `${config.topicPrefix}.samples.late`)
  for (const metricId of ['one', 'two', 'three', 'four', 'five']) {
    await log.append([{ ...log.route({ ...series, metricId }), payload: Buffer.from(metricId) }])
  }
  await late.append([{ ...remembered, payload: Buffer.from('late') }])
  const topics = new Set((await log.partitions()).map(({ topic }) => topic))
  const own = [...topics].filter((topic) => topic.includes('.samples.')).sort()
  assert.deepEqual(own, [`${config.topicPrefix}.samples.one`, `${config.topicPrefix}.samples.two`])
  assert.match(late.route({ ...series, metricId: 'late' }).topic, /\.shared\.\d$/)
  const reader = (await openLog(config)).log
  const member = await Member.join(reader)
  const partitions = await reader.partitions()
  await Member.until([member], () => member.owned.size === partitions.length)
  const found: string[] = []
  for (const partition of partitions) {
    const { position } = await member.reader.committed(partition)
    found.push(...words((await member.reader.read({ partition, position, bytesMax, waitMs: 0 })).records))
  }
  assert.deepEqual(found.sort(), ['five', 'four', 'late', 'one', 'three', 'two'])
})

test('a topic deleted under a writer is made anew, and its neighbours never notice', async () => {
  const { log } = await openLog()
  const [doomed, healthy] = ['doomed', 'healthy'].map((metricId) => log.route({ ...series, metricId }))
  assert.ok(doomed && healthy)
  const both = (word: string) => [doomed, healthy].map((partition) => ({ ...partition, payload: Buffer.from(word) }))
  await log.append(both('before'))
  const member = await Member.join(log)
  await Member.until([member], () => member.owned.size === 4)
  assert.deepEqual(words(await readAll(member.reader, doomed, 1)), ['before'])
  await member.reader.commit(doomed, 1)
  await log.cluster.deleteTopics([doomed.topic])
  await log.append(both('after'))
  assert.deepEqual(words(await readAll(member.reader, healthy, 2)), ['before', 'after'])
  // The reader is told: by losing the partition, or by a gap.
  const told = member.reader.read({ partition: doomed, position: 1_000, bytesMax, waitMs: 30_000 }).then(
    ({ gap }) => gap?.reason === 'rewound',
    () => true,
  )
  assert.equal(await told, true)
  await Member.until([member], () => member.owned.has(keyOf(doomed)))
  const oldest = await member.reader.oldest(doomed)
  const batch = await member.reader.read({ partition: doomed, position: oldest, bytesMax, waitMs: 30_000 })
  assert.deepEqual(words(batch.records), ['after'])
})

test('a topic made anew and filled past a reader that stood still is a gap; what it has is read from its start', async () => {
  const config = testConfig({ partitionFetchBytesMax: 65_536 })
  const { log, registry } = await openLog(config)
  await log.prepare([series.metricId])
  const partition = log.route(series)
  const member = await Member.join(log)
  await Member.until([member], () => member.owned.has(keyOf(partition)))
  await log.append([{ ...partition, payload: Buffer.from('first') }])
  const first = await member.reader.read({ partition, position: 0, bytesMax, waitMs: 30_000 })
  // As much as it holds: from here on it fetches nothing, until it is read.
  await log.append([{ ...partition, payload: Buffer.alloc(70_000) }])
  const held = async () => (await registry.getSingleMetric('minutely_kafka_fetch_bytes')?.get())?.values[0]?.value ?? 0
  while ((await held()) < 70_000) await setImmediate()
  await makeTopicAnew(config, partition.topic)
  const written = ['A', 'B', 'C', 'D', 'E']
  const writer = (await openLog(config)).log
  for (const word of written) await writer.append([{ ...partition, payload: Buffer.from(word) }])
  // What counts is that nobody looked for so long, not that something is over by then.
  await new SystemClock().sleep(config.fetchEveryMs + 600)

  const second = await member.reader.read({ partition, position: 1, anchor: first.anchor, bytesMax, waitMs: 30_000 })
  assert.deepEqual([second.records.length, second.anchor?.position], [1, 1])
  const other = await member.reader.read({ partition, position: 2, anchor: second.anchor, bytesMax, waitMs: 30_000 })
  assert.deepEqual(other.gap, { fromPosition: 2, toPosition: 0, reason: 'rewound' })
  assert.deepEqual(words(await readAll(member.reader, partition, 5)), written)
  assert.deepEqual(
    member.history.filter((event) => event.startsWith('-')),
    [],
    'it was told by the log, not by losing the partition',
  )
})

test('a record with a wrong checksum is delivered as unreadable, as it was stored, and its neighbours are read', async () => {
  const { log, config } = await openLog()
  const partition = log.route(series)
  const plain = new PlainFraming()
  const lying: RecordFraming = {
    frame: (payload) => ({ ...plain.frame(payload), value: Buffer.concat([payload, Buffer.from('!')]) }),
    unframe: (record) => plain.unframe(record),
  }
  const liar = (await openLog(config, lying)).log
  await log.append([{ ...partition, payload: Buffer.from('good') }])
  await liar.append([{ ...partition, payload: Buffer.from('bad') }])
  await log.append([{ ...partition, payload: Buffer.from('good too') }])
  const consumer = await joinAndOwn(log, 'readers', partition)
  const records = await readAll(consumer, partition, 3)
  assert.deepEqual(words(records), ['good', 'bad!', 'good too'])
  assert.deepEqual(
    records.map(({ unreadable }) => unreadable?.reason),
    [undefined, 'checksum', undefined],
  )
  const [, bad] = records
  assert.ok(bad?.unreadable)
  await log.deadLetters.add({ ...partition, ...bad, ...bad.unreadable })
  for await (const letter of log.deadLetters.list()) await log.deadLetters.replay(letter)
  const again = (await readAll(consumer, partition, 4))[3]
  assert.deepEqual([again?.payload, again?.headers, again?.unreadable?.reason], [bad.payload, bad.headers, 'checksum'])
})

test('a schema that cannot be had holds up its own partition only, until it can be had', async () => {
  const plain = new PlainFraming()
  let isRegistryUp = false
  const framing: RecordFraming = {
    frame: (payload) => plain.frame(payload),
    unframe: async (record) => {
      const payload = plain.unframe(record)
      if (payload.toString() === 'new' && !isRegistryUp) throw new SchemaUnavailableError('the registry is down')
      if (payload.toString() === 'never') throw new UnreadableRecordError('unknown-schema', 'no schema 7')
      return payload
    },
  }
  const { log } = await openLog(testConfig(), framing)
  const [stuck, free] = ['stuck', 'free'].map((metricId) => log.route({ ...series, metricId }))
  assert.ok(stuck && free)
  await log.append(['old', 'new', 'never', 'last'].map((word) => ({ ...stuck, payload: Buffer.from(word) })))
  await log.append([{ ...free, payload: Buffer.from('free') }])
  const member = await Member.join(log)
  await Member.until([member], () => member.owned.size === 4)
  const before = await member.reader.read({ partition: stuck, position: 0, bytesMax, waitMs: 30_000 })
  assert.deepEqual(words(before.records), ['old'])
  const held = member.reader.read({ partition: stuck, position: before.nextPosition, bytesMax, waitMs: 30_000 })
  await assert.rejects(held, SchemaUnavailableError)
  assert.deepEqual(words(await readAll(member.reader, free, 1)), ['free'])
  isRegistryUp = true
  const rest = await member.reader.read({ partition: stuck, position: before.nextPosition, bytesMax, waitMs: 30_000 })
  assert.deepEqual(words(rest.records), ['new', 'never', 'last'])
  assert.deepEqual(
    rest.records.map(({ unreadable }) => unreadable?.reason),
    [undefined, 'unknown-schema', undefined],
  )
})

test('more than the buffers hold is read in order and completely, and memory is given back', async () => {
  const config = testConfig({ partitionFetchBytesMax: 65_536, fetchBytesMax: 1_048_576 })
  const { log, registry } = await openLog(config)
  const partitions = ['a', 'b', 'c', 'd'].map((metricId) => log.route({ ...series, metricId }))
  for (let round = 0; round < 10; round++) {
    const payload = Buffer.alloc(100_000, round)
    await log.append(
      partitions.flatMap((partition) => [
        { ...partition, payload },
        { ...partition, payload },
      ]),
    )
  }
  const member = await Member.join(log)
  await Member.until([member], () => member.owned.size === 8)
  const readings = partitions.map((partition) => readAll(member.reader, partition, 20))
  for (const records of await Promise.all(readings)) {
    assert.deepEqual(
      records.map(({ payload }) => payload[0]),
      Array.from({ length: 20 }, (_, index) => Math.floor(index / 2)),
    )
    assert.ok(records.every(({ payload }) => payload.length === 100_000))
  }
  const held = await registry.getSingleMetric('minutely_kafka_fetch_bytes')?.get()
  assert.equal(held?.values[0]?.value, 0)
})

test('fetches name what has changed; a session that the broker gives up, or counts otherwise, loses and repeats nothing', async () => {
  const { log, registry } = await openLog()
  await log.prepare([series.metricId])
  const partitions = await log.partitions()
  const session = watchSessions(log)
  const member = await Member.join(log)
  await Member.until([member], () => member.owned.size === partitions.length)
  const readings = partitions.map((partition) => ({ partition, position: 0, found: [] as string[] }))
  const written: string[] = []
  for (let round = 0; round < 12; round++) {
    written.push(`${round}`)
    await log.append(partitions.map((partition) => ({ ...partition, payload: Buffer.from(`${round}`) })))
    for (const one of readings) {
      const { records, nextPosition } = await member.reader.read({ ...one, bytesMax, waitMs: 30_000 })
      one.found.push(...words(records))
      one.position = nextPosition
      const end = await member.reader.read({ ...one, bytesMax, waitMs: 0 })
      assert.deepEqual([end.records.length, end.atEnd], [0, true])
    }
    // Closed, or used by somebody else.
    await session.disturb(round % 2 === 0 ? -1 : 'next')
  }
  for (const { found } of readings) assert.deepEqual(found, written)
  const counts = async (name: string): Promise<Map<unknown, number>> => {
    const { values } = (await registry.getSingleMetric(`minutely_kafka_${name}_total`)?.get()) ?? { values: [] }
    return new Map(values.map(({ labels, value }) => [Object.values(labels)[0], value]))
  }
  const errors = await counts('fetch_errors')
  assert.deepEqual([...errors.keys()].sort(), ['FETCH_SESSION_ID_NOT_FOUND', 'INVALID_FETCH_SESSION_EPOCH'])
  const fetches = await counts('fetches')
  const lost = [...errors.values()].reduce((sum, count) => sum + count, 0)
  assert.equal(fetches.get('full'), 1 + lost)
  assert.ok((fetches.get('incremental') ?? 0) > lost)
})

/** Sees the log's session with its broker, and spoils it. */
function watchSessions(log: KafkaSampleLog): { disturb: (epoch: -1 | 'next') => Promise<void> } {
  const { cluster } = log
  const fetch = cluster.fetch.bind(cluster)
  let last: { nodeId: number; sessionId: number; epoch: number } | undefined
  cluster.fetch = async (nodeId, request, limits) => {
    // The broker answers what is asked after it on the same connection.
    last = { nodeId, sessionId: request.sessionId, epoch: request.epoch + 1 }
    const answer = await fetch(nodeId, request, limits)
    last = { ...last, sessionId: answer.sessionId }
    return answer
  }
  return {
    disturb: async (epoch) => {
      if (last === undefined) return assert.fail('nothing was fetched')
      const request = {
        sessionId: last.sessionId,
        epoch: epoch === 'next' ? last.epoch : epoch,
        parts: [],
        forgotten: [],
      }
      await fetch(last.nodeId, request, { waitMs: 0, bytesMax: 1 }).catch((error: Error) => error)
    },
  }
}

test('what is on its way to the brokers is bounded, and what did not fit is refused at once', async () => {
  const { log } = await openLog(testConfig({ sendBytesMax: 1_048_576 }))
  await log.prepare([series.metricId])
  const partition = log.route(series)
  const large = { ...partition, payload: Buffer.alloc(700_000) }
  const outcomes = await Promise.allSettled([log.append([large]), log.append([large])])
  assert.deepEqual(
    outcomes.map(({ status }) => status),
    ['fulfilled', 'rejected'],
  )
  await log.append([large])
})

test('an append of more than a batch takes keeps its order', async () => {
  const { log } = await openLog(testConfig({ batchBytesMax: 1_048_576 }))
  await log.prepare([series.metricId])
  const partition = log.route(series)
  const payloads = Array.from({ length: 12 }, (_, index) => Buffer.alloc(300_000, index))
  await log.append(payloads.map((payload) => ({ ...partition, payload })))
  const consumer = await joinAndOwn(log, 'readers', partition)
  const records = await readAll(consumer, partition, 12)
  assert.deepEqual(
    records.map(({ payload }) => payload[0]),
    payloads.map((_, index) => index),
  )
})

test('a broker that cannot be reached is a start that fails and says so', async () => {
  const config = testConfig({ brokers: ['127.0.0.1:1'], connectTimeoutMs: 1_000 })
  await assert.rejects(
    openLog(config),
    /no Kafka broker of 127\.0\.0\.1:1 answered within 1000 ms.*MINUTELY_KAFKA_BROKERS/,
  )
})
