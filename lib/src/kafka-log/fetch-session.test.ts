/**
 * Against a broker in memory that keeps sessions as KIP-227 says, with everything that can happen to one. What a session tells
 * must be what full fetches would have told.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { FetchSession } from './fetch-session.ts'
import type { FetchAnswer, FetchedPart, FetchPart, FetchRequest } from './log-requests.ts'

const topic = 'a'
const outOfRange = 1
const unknownTopic = 3
const notFound = 70
const badEpoch = 71
const none = Buffer.alloc(0)

const partOf = (partition: number, offset: number): FetchPart => ({ topic, partition, offset, bytesMax: 100 })
const keyed = (parts: readonly FetchPart[]): Map<string, FetchPart> => {
  return new Map(parts.map((part) => [`${topic}/${part.partition}`, part]))
}

interface Log {
  end: number
  start: number
  isUnknown: boolean
}

interface BrokersSession {
  readonly id: number
  epoch: number
  /** In the order of their turns. */
  readonly parts: Map<number, { part: FetchPart; toldEnd: number; toldStart: number }>
}

/** A record is a byte: the low bits of its offset. */
class Broker {
  readonly logs: Log[] = Array.from({ length: 4 }, () => ({ end: 0, start: 0, isUnknown: false }))
  session: BrokersSession | undefined
  hasRoom = true
  isThrottling = false
  recordsMax = 1_000
  readonly #epochMax: number
  #lastId = 0

  constructor(epochMax = 1_000) {
    this.#epochMax = epochMax
  }

  log(partition: number): Log {
    return this.logs[partition] ?? assert.fail(`no partition ${partition}`)
  }

  fetch({ sessionId, epoch, parts, forgotten }: FetchRequest): FetchAnswer {
    if (epoch <= 0) return this.#full(sessionId, parts)
    const { session } = this
    if (session === undefined || session.id !== sessionId) return refusal(notFound)
    if (session.epoch !== epoch) return refusal(badEpoch)
    session.epoch = epoch === this.#epochMax ? 1 : epoch + 1
    for (const part of parts) {
      const known = session.parts.get(part.partition)
      if (known === undefined) session.parts.set(part.partition, { part, toldEnd: -1, toldStart: -1 })
      else known.part = part
    }
    for (const { partition } of forgotten) session.parts.delete(partition)
    if (this.isThrottling) return { throttleMs: 10, errorCode: 0, sessionId, parts: [] }
    let left = this.recordsMax
    const answered: FetchedPart[] = []
    for (const [partition, known] of [...session.parts]) {
      const said = this.read(known.part, left)
      left -= said.recordSet.length
      const { start } = this.log(partition)
      const isNews = said.highWatermark !== known.toldEnd || start !== known.toldStart
      if (said.recordSet.length === 0 && said.errorCode === 0 && !isNews) continue
      known.toldEnd = said.errorCode === 0 ? said.highWatermark : -1
      known.toldStart = start
      answered.push(said)
      if (said.recordSet.length === 0) continue
      session.parts.delete(partition)
      session.parts.set(partition, known)
    }
    return { throttleMs: 0, errorCode: 0, sessionId, parts: answered }
  }

  #full(formerId: number, parts: readonly FetchPart[]): FetchAnswer {
    if (this.session?.id === formerId) this.session = undefined
    if (this.isThrottling) return { throttleMs: 10, errorCode: 0, sessionId: 0, parts: [] }
    let left = this.recordsMax
    const answered = parts.map((part) => {
      const said = this.read(part, left)
      left -= said.recordSet.length
      return said
    })
    if (!this.hasRoom) return { throttleMs: 0, errorCode: 0, sessionId: 0, parts: answered }
    const told = parts.map((part, index) => {
      const toldEnd = answered[index]?.highWatermark ?? -1
      return [part.partition, { part, toldEnd, toldStart: this.log(part.partition).start }] as const
    })
    this.session = { id: ++this.#lastId, epoch: 1, parts: new Map(told) }
    return { throttleMs: 0, errorCode: 0, sessionId: this.session.id, parts: answered }
  }

  read({ partition, offset }: FetchPart, most: number): FetchedPart {
    const { start, end, isUnknown } = this.log(partition)
    const errorCode = isUnknown ? unknownTopic : offset < start || offset > end ? outOfRange : 0
    if (errorCode !== 0) return { topic, partition, errorCode, highWatermark: -1, recordSet: none }
    const count = Math.min(most, end - offset)
    return { topic, partition, errorCode, highWatermark: end, recordSet: bytesOf(offset, count) }
  }
}

function bytesOf(offset: number, count: number): Buffer {
  return Buffer.from(Array.from({ length: count }, (_, index) => (offset + index) & 255))
}

function refusal(errorCode: number): FetchAnswer {
  return { throttleMs: 0, errorCode, sessionId: 0, parts: [] }
}

function answered(session: FetchSession, answer: FetchAnswer): Map<string, FetchedPart> {
  const told = new Map<string, FetchedPart>()
  session.answered(answer, (key, part) => {
    assert.ok(!told.has(key), `${key} is told twice`)
    told.set(key, part)
  })
  return told
}

test('the second request names what changed, and forgets what is not wanted any more', () => {
  const session = new FetchSession()
  const broker = new Broker()
  const all = [partOf(0, 0), partOf(1, 0), partOf(2, 0)]
  assert.deepEqual(session.request(keyed(all)), { sessionId: 0, epoch: 0, parts: all, forgotten: [] })
  answered(session, broker.fetch({ sessionId: 0, epoch: 0, parts: all, forgotten: [] }))
  const next = session.request(keyed([partOf(0, 0), partOf(1, 5), partOf(3, 0)]))
  const expected = { sessionId: 1, epoch: 1, parts: [partOf(1, 5), partOf(3, 0)], forgotten: [partOf(2, 0)] }
  assert.deepEqual(next, expected)
})

test('a partition that a full answer left out has more to read, and is not told as read to its end', () => {
  const session = new FetchSession()
  const broker = new Broker()
  const wanted = keyed([partOf(0, 0), partOf(1, 0)])
  for (const log of broker.logs) log.end = 10
  answered(session, broker.fetch(session.request(wanted)))
  broker.recordsMax = 10
  const told = answered(session, broker.fetch(session.request(wanted)))
  assert.equal(told.get('a/0')?.recordSet.length, 10)
  assert.deepEqual([told.get('a/1')?.recordSet.length, told.get('a/1')?.highWatermark], [0, 10])
  // Its turn comes.
  assert.equal(answered(session, broker.fetch(session.request(wanted))).get('a/1')?.recordSet.length, 10)
})

test('what a throttled answer leaves out is not told', () => {
  const session = new FetchSession()
  const broker = new Broker()
  const wanted = keyed([partOf(0, 0)])
  answered(session, broker.fetch(session.request(wanted)))
  const [log] = broker.logs
  assert.ok(log)
  log.end = 1
  broker.isThrottling = true
  assert.equal(answered(session, broker.fetch(session.request(wanted))).size, 0)
  broker.isThrottling = false
  assert.equal(answered(session, broker.fetch(session.request(wanted))).get('a/0')?.highWatermark, 1)
  assert.equal(session.isFull, false)
})

test('a session that was refused is begun anew, and the one the broker may still have is given up with it', () => {
  const session = new FetchSession()
  const broker = new Broker()
  const wanted = keyed([partOf(0, 0)])
  answered(session, broker.fetch(session.request(wanted)))
  broker.fetch(session.request(wanted))
  // The answer is lost.
  session.failed()
  assert.deepEqual(session.request(wanted), { sessionId: 1, epoch: 0, parts: [partOf(0, 0)], forgotten: [] })
})

const partition = fc.integer({ min: 0, max: 3 })
const oneIn = (sides: number) => fc.integer({ min: 1, max: sides }).map((dice) => dice === 1)
const fetching = fc.record({
  kind: fc.constant('fetch' as const),
  wanted: fc.uniqueArray(partition, { minLength: 1, maxLength: 4 }),
  lost: fc.constantFrom('request' as const, 'answer' as const, ...Array.from({ length: 8 }, () => undefined)),
  isThrottling: oneIn(5),
  recordsMax: fc.integer({ min: 0, max: 6 }),
  /** Of the records that come: a reader may have gone elsewhere. */
  isRead: fc.boolean(),
})
const step = fc.oneof(
  { weight: 4, arbitrary: fetching },
  fc.record({ kind: fc.constant('append' as const), partition, count: fc.integer({ min: 1, max: 4 }) }),
  fc.record({ kind: fc.constant('drop' as const), partition, what: fc.constantFrom('start' as const, 'end' as const) }),
  fc.record({ kind: fc.constant('seek' as const), partition, offset: fc.nat(12) }),
  fc.record({ kind: fc.constant('unknown' as const), partition, isUnknown: fc.boolean() }),
  fc.record({ kind: fc.constant('evict' as const), hasRoom: fc.boolean() }),
)
const epochMax = 4

/** A loop that fetches, as far as the session is concerned. */
function rig() {
  const session = new FetchSession(epochMax)
  const broker = new Broker(epochMax)
  const offsets = [0, 0, 0, 0]
  const fetch = ({ wanted, lost, isThrottling, recordsMax, isRead }: Omit<FetchStep, 'kind'>): void => {
    Object.assign(broker, { isThrottling, recordsMax })
    const parts = wanted.map((one) => partOf(one, offsets[one] ?? 0))
    const request = session.request(keyed(parts))
    if (lost === 'request') {
      session.failed()
      return
    }
    const truth = parts.map((part) => broker.read(part, 0))
    const answer = broker.fetch(request)
    if (lost === 'answer' || answer.errorCode !== 0) {
      session.failed()
      return
    }
    const told = answered(session, answer)
    if (!isThrottling) assert.deepEqual(new Set(told.keys()), new Set(keyed(parts).keys()))
    for (const { partition: one, errorCode, highWatermark } of truth) {
      const part = told.get(`${topic}/${one}`)
      if (part === undefined) continue
      assert.deepEqual([part.errorCode, part.highWatermark], [errorCode, highWatermark])
      const offset = offsets[one] ?? 0
      assert.deepEqual(part.recordSet, bytesOf(offset, part.recordSet.length))
      if (isRead) offsets[one] = offset + part.recordSet.length
    }
  }
  return { broker, offsets, fetch }
}

type FetchStep = typeof fetching extends fc.Arbitrary<infer S> ? S : never

test('whatever happens, each answer tells what a full fetch would have told, and all is read in the end (property)', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const { broker, offsets, fetch } = rig()
      for (const one of steps) {
        const log = 'partition' in one ? broker.log(one.partition) : undefined
        if (one.kind === 'fetch') fetch(one)
        else if (one.kind === 'evict') Object.assign(broker, { session: undefined, hasRoom: one.hasRoom })
        else if (one.kind === 'seek') offsets[one.partition] = one.offset
        else if (one.kind === 'unknown') Object.assign(log ?? {}, { isUnknown: one.isUnknown })
        else if (one.kind === 'append' && log) log.end += one.count
        else if (one.kind === 'drop' && log) log[one.what] = Math.floor((log.start + log.end) / 2)
      }
      for (const [one, log] of broker.logs.entries()) {
        log.isUnknown = false
        offsets[one] = log.start
      }
      const wanted = [0, 1, 2, 3]
      // Refused, full, and from then on a record at least each time.
      const records = broker.logs.reduce((sum, { start, end }) => sum + end - start, 0)
      for (let round = 0; round < records + 2; round++) {
        fetch({ wanted, lost: undefined, isThrottling: false, recordsMax: 2, isRead: true })
      }
      assert.deepEqual(
        offsets,
        broker.logs.map(({ end }) => end),
      )
    }),
    { numRuns: 2_000 },
  )
})
