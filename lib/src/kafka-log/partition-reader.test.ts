import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { VirtualClock } from '../clock.ts'
import type { LogAnchor } from '../sample-log/sample-log.ts'
import { FetchBudget } from './fetch-budget.ts'
import { ByteWriter } from './kafka-bytes.ts'
import { type FetchTicket, PartitionReader } from './partition-reader.ts'
import { ReadWaits } from './read-waits.ts'
import { encodeRecordBatch } from './record-batch.ts'
import { PlainFraming, type RecordFraming, SchemaUnavailableError } from './record-framing.ts'

const partition = { topic: 'minutely.samples.a', partition: 0 }
const graceMs = 5_000
const unseenMsMax = 1_500
const nodeId = 1
const baseMs = 1_800_000_000_000
const bytesMax = 1 << 20

/** A reader, and a broker's log of one word a record that it is fetched from by hand. */
function rig(framing: RecordFraming = new PlainFraming()) {
  const clock = new VirtualClock(baseMs)
  const budget = new FetchBudget(1 << 24)
  let sequence = 0
  const nextSequence = (): number => ++sequence
  const waits = new ReadWaits({ clock })
  const onWanting = (): void => {}
  const deps = { budget, framing, clock, waits, bytesMax: 10_000, graceMs, unseenMsMax, nextSequence, onWanting }
  const openReader = (): PartitionReader => new PartitionReader(partition, 0, deps)
  const written: string[] = []
  /** Append times of `written`. */
  const timesMs: number[] = []
  const timeOf = (offset: number): number => timesMs[offset] ?? baseMs
  const fetch = (from = reader, node = nodeId): FetchTicket => from.ticket(nextSequence(), node)
  /** Answers with at most `count` records that are there now. @returns whether the broker is to be asked for its range. */
  const answer = (ticket: FetchTicket, count = 3): boolean => {
    if (ticket.offset > written.length) return false
    const sets = written.slice(ticket.offset, ticket.offset + count).map((word, index) => {
      const offset = ticket.offset + index
      return recordSet([word], offset, timeOf(offset))
    })
    const isFollowed = ticket.reader.accept(ticket, { highWatermark: written.length, recordSet: Buffer.concat(sets) })
    // As the fetch loop does.
    if (ticket.reader.end.isWanted) ticket.reader.proveEnd(ticket, written.length)
    return isFollowed
  }
  const answerOrRange = (ticket: FetchTicket, count = 3): void => {
    if (!answer(ticket, count)) ticket.reader.outOfRange(ticket, { oldest: 0, next: written.length })
  }
  const reader = openReader()
  return { clock, budget, reader, openReader, written, timesMs, fetch, answer, answerOrRange }
}

function recordSet(words: readonly string[], offset: number, nowMs = baseMs): Buffer {
  if (words.length === 0) return Buffer.alloc(0)
  const plain = new PlainFraming()
  const records = words.map((word) => plain.frame(Buffer.from(word)))
  const batch = encodeRecordBatch(records, { nowMs, compressBytesMin: 1_000_000 })
  batch.set(new ByteWriter().int64(offset).bytes)
  return batch
}

const wordsOf = ({ records }: { records: readonly { payload: Buffer }[] }): string[] =>
  records.map(({ payload }) => payload.toString())

test('the end is reached only when a fetch that began after the read found nothing', async () => {
  const { reader, written, fetch, answer, clock } = rig()
  const first = reader.read({ partition, position: 0, bytesMax, waitMs: 1_000 })
  const early = fetch()
  const aborted = new AbortController()
  aborted.abort()
  await clock.advance(0)
  answer(early)
  await clock.advance(1_000)
  assert.deepEqual(await first, { records: [], nextPosition: 0, atEnd: true })

  // This one began before the read, and what it found says nothing about what was appended in between.
  const before = fetch()
  const second = reader.read({ partition, position: 0, bytesMax, waitMs: 1_000 })
  answer(before)
  written.push('appended before the read')
  await clock.advance(1_000)
  answer(fetch())
  const batch = await second
  assert.deepEqual(wordsOf(batch), ['appended before the read'])
})

test('a new leader whose high watermark lags is not believed to be at the end before it says where that is', async () => {
  const { reader, written, clock, fetch } = rig()
  const fetchFrom = (node: number): FetchTicket => fetch(reader, node)
  const nothing = { highWatermark: 1, recordSet: Buffer.alloc(0) }
  written.push('read', 'acknowledged by the old leader')
  const first = reader.read({ partition, position: 0, bytesMax, waitMs: 0 })
  const ticket = fetchFrom(1)
  reader.accept(ticket, { highWatermark: 1, recordSet: recordSet(['read'], 0) })
  assert.deepEqual(wordsOf(await first), ['read'])
  reader.proveEnd(ticket, 1)

  const second = reader.read({ partition, position: 1, bytesMax, waitMs: 1_000 })
  // As the new leader has it all, and does not know yet how much of it was acknowledged.
  for (const node of [2, 2]) {
    reader.accept(fetchFrom(node), { highWatermark: 1, recordSet: recordSet(['read'], 0) })
    assert.equal(reader.end.isWanted, true, 'it refuses to tell')
  }
  await clock.advance(1_000)
  // An answer of the old leader, or to a question before the last fetch, tells nothing.
  const stale = fetchFrom(2)
  reader.accept(fetchFrom(2), nothing)
  reader.proveEnd(stale, 1)
  await clock.advance(graceMs)
  assert.deepEqual(await second, { records: [], nextPosition: 1, atEnd: false })

  const third = reader.read({ partition, position: 1, bytesMax, waitMs: 1_000 })
  const asked = fetchFrom(2)
  reader.accept(asked, { highWatermark: 1, recordSet: recordSet(['read'], 0) })
  assert.equal(reader.end.isWanted, true)
  reader.proveEnd(asked, 2)
  await clock.advance(1_000)
  reader.accept(fetchFrom(2), { highWatermark: 2, recordSet: recordSet(['acknowledged by the old leader'], 1) })
  assert.deepEqual(wordsOf(await third), ['acknowledged by the old leader'])

  const last = reader.read({ partition, position: 2, bytesMax, waitMs: 1_000 })
  await clock.advance(1_000)
  reader.accept(fetchFrom(2), { highWatermark: 2, recordSet: Buffer.alloc(0) })
  assert.equal(reader.end.isWanted, false, 'it is believed from then on')
  assert.deepEqual(await last, { records: [], nextPosition: 2, atEnd: true })
})

test('a read that no fetch answers ends in time and does not call it the end', async () => {
  const { reader, clock } = rig()
  const reading = reader.read({ partition, position: 0, bytesMax, waitMs: 1_000 })
  await clock.advance(1_000 + graceMs)
  assert.deepEqual(await reading, { records: [], nextPosition: 0, atEnd: false })
  assert.equal(clock.pendingCount, 0)
})

test('any sequence of reads, jumps, fetches and late answers reads every record in order (property)', async () => {
  const step = fc.oneof(
    fc.constant({ kind: 'append' as const }),
    fc.constant({ kind: 'fetch' as const }),
    fc.record({ kind: fc.constant('answer' as const), count: fc.integer({ min: 1, max: 5 }) }),
    fc.record({ kind: fc.constant('read' as const), bytesMax: fc.integer({ min: 1, max: 40 }) }),
    fc.record({ kind: fc.constant('jump' as const), back: fc.nat(10) }),
  )
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
      const { reader, written, fetch, answer, budget, clock } = rig()
      const late: FetchTicket[] = []
      let position = 0
      const read = async (max: number): Promise<void> => {
        const signal = AbortSignal.abort()
        const batch = await reader.read({ partition, position, bytesMax: max, waitMs: 0, signal })
        assert.deepEqual(wordsOf(batch), written.slice(position, batch.nextPosition))
        position = batch.nextPosition
      }
      for (const one of steps) {
        if (one.kind === 'append') written.push(`word ${written.length}`)
        else if (one.kind === 'read') await read(one.bytesMax)
        else if (one.kind === 'jump') position = Math.max(0, position - one.back)
        else if (one.kind === 'fetch' && reader.wantsFetch(clock.nowMs())) late.push(fetch())
        else if (one.kind === 'answer') {
          const ticket = late.shift()
          if (ticket !== undefined) answer(ticket, one.count)
        }
      }
      // However it went, going on leads to the end.
      for (const ticket of late) answer(ticket)
      for (let round = 0; position < written.length; round++) {
        assert.ok(round < 300, `stuck at ${position} of ${written.length}`)
        await read(1_000)
        if (reader.wantsFetch(clock.nowMs())) answer(fetch())
      }
      reader.close()
      assert.equal(budget.heldBytes, 0)
    }),
    { numRuns: 300 },
  )
})

test('a gap is told each time the position is asked for, and not before what comes ahead of it', async () => {
  const { reader, written, fetch, answer } = rig()
  written.push('a', 'b')
  const reading = reader.read({ partition, position: 0, bytesMax, waitMs: 1_000 })
  answer(fetch())
  // While the records wait, the log is made anew and ends before them.
  reader.outOfRange(fetch(), { oldest: 0, next: 1 })
  assert.deepEqual(wordsOf(await reading), ['a', 'b'])
  const gap = { fromPosition: 2, toPosition: 0, reason: 'rewound' }
  const expected = { records: [], nextPosition: 0, atEnd: false, gap }
  assert.deepEqual(await reader.read({ partition, position: 2, bytesMax, waitMs: 1_000 }), expected)
  const again = reader.read({ partition, position: 2, bytesMax, waitMs: 1_000 })
  reader.outOfRange(fetch(), { oldest: 0, next: 1 })
  assert.deepEqual(await again, expected)
})

test('who loses the partition while waiting for a schema gets no record of it', async () => {
  const schema = Promise.withResolvers<Buffer>()
  const { reader, written, fetch, answer } = rig({
    frame: (payload) => ({ value: payload, headers: {} }),
    unframe: () => schema.promise,
  })
  written.push('a')
  const reading = reader.read({ partition, position: 0, bytesMax, waitMs: 1_000 })
  answer(fetch())
  reader.close()
  schema.resolve(Buffer.from('a'))
  await assert.rejects(reading, /belongs to another member/)
  await assert.rejects(reader.read({ partition, position: 0, bytesMax, waitMs: 0 }), /belongs to another member/)
})

test('append times never go back, also when the clock of a new leader does', async () => {
  const { reader } = rig()
  const batch = (offset: number, nowMs: number): Buffer => {
    const encoded = encodeRecordBatch([new PlainFraming().frame(Buffer.from('x'))], { nowMs, compressBytesMin: 1e6 })
    encoded.set(new ByteWriter().int64(offset).bytes)
    return encoded
  }
  const reading = reader.read({ partition, position: 0, bytesMax, waitMs: 1_000 })
  const sets = [batch(0, 5_000), batch(1, 4_000), batch(2, 6_000)]
  reader.accept(reader.ticket(1, nodeId), { highWatermark: 3, recordSet: Buffer.concat(sets) })
  assert.deepEqual(
    (await reading).records.map(({ appendedAtMs }) => appendedAtMs),
    [5_000, 5_000, 6_000],
  )
})

test('a record larger than what was asked for is asked for with more', async () => {
  const { reader } = rig()
  const reading = reader.read({ partition, position: 0, bytesMax, waitMs: 1_000 })
  const large = recordSet(['x'.repeat(30_000)], 0)
  assert.equal(reader.fetchBytes, 10_000)
  for (let size = 10_000; size < large.length; size = reader.fetchBytes) {
    reader.accept(reader.ticket(1, nodeId), { highWatermark: 1, recordSet: large.subarray(0, size) })
  }
  reader.accept(reader.ticket(2, nodeId), { highWatermark: 1, recordSet: large })
  assert.equal((await reading).records[0]?.payload.length, 30_000)
  assert.equal(reader.fetchBytes, 10_000)
})

test('a schema that cannot be had rejects the read and costs no record', async () => {
  let isUp = false
  const { reader, written, fetch, answer } = rig({
    frame: (payload) => ({ value: payload, headers: {} }),
    unframe: ({ value }) => {
      if (!isUp) throw new SchemaUnavailableError('down')
      return value
    },
  })
  written.push('a', 'b')
  const reading = reader.read({ partition, position: 0, bytesMax, waitMs: 1_000 })
  answer(fetch())
  await assert.rejects(reading, SchemaUnavailableError)
  isUp = true
  assert.deepEqual(wordsOf(await reader.read({ partition, position: 0, bytesMax, waitMs: 1_000 })), ['a', 'b'])
})

test('a read that goes elsewhere meanwhile makes another one skip nothing', async () => {
  const { reader, written, fetch, answer, clock } = rig()
  written.push('a', 'b', 'c', 'd')
  const reading = reader.read({ partition, position: 0, bytesMax, waitMs: 1_000 })
  const probe = reader.read({ partition, position: 2, bytesMax: 1, waitMs: 1_000 })
  answer(fetch())
  assert.deepEqual(wordsOf(await probe), ['c'])
  await clock.advance(1_000)
  answer(fetch())
  await clock.advance(graceMs)
  assert.deepEqual(wordsOf(await reading), ['a', 'b', 'c'])
})

test('whatever end a log loses, and whatever is in its place then, all it has in the end is read (property)', async () => {
  const step = fc.oneof(
    fc.record({ kind: fc.constant('append' as const), count: fc.integer({ min: 1, max: 4 }) }),
    fc.constant({ kind: 'fetch' as const }),
    fc.record({ kind: fc.constant('answer' as const), count: fc.integer({ min: 1, max: 5 }) }),
    fc.record({ kind: fc.constant('read' as const), bytesMax: fc.integer({ min: 1, max: 40 }) }),
    fc.constant({ kind: 'store' as const }),
    fc.constant({ kind: 'restart' as const }),
    fc.record({ kind: fc.constant('lose' as const), keep: fc.nat(6), fill: fc.nat(10) }),
  )
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
      const { openReader, written, timesMs, fetch, answerOrRange, clock } = rig()
      let reader = openReader()
      let count = 0
      const append = (records: number): void => {
        for (let left = records; left > 0; left--) {
          written.push(`word ${count++}`)
          timesMs.push(clock.nowMs())
        }
      }
      const late: FetchTicket[] = []
      const found = new Set<string>()
      let place: Place = { position: 0, anchor: undefined }
      let stored = place
      const read = async (max: number): Promise<void> => {
        const batch = await reader.read({ partition, ...place, bytesMax: max, waitMs: 0, signal: AbortSignal.abort() })
        for (const word of wordsOf(batch)) found.add(word)
        place = { position: batch.nextPosition, anchor: batch.gap ? undefined : (batch.anchor ?? place.anchor) }
      }
      for (const one of steps) {
        if (one.kind === 'append') append(one.count)
        else if (one.kind === 'read') await read(one.bytesMax)
        else if (one.kind === 'fetch' && reader.wantsFetch(clock.nowMs())) late.push(fetch(reader))
        else if (one.kind === 'answer') {
          const ticket = late.shift()
          if (ticket !== undefined) answerOrRange(ticket, one.count)
        } else if (one.kind === 'store') stored = { ...place, position: Math.max(0, place.position - (count % 3)) }
        else if (one.kind === 'restart') [reader, place] = [openReader(), stored]
        else if (one.kind === 'lose') {
          // No fetch is under way so long.
          for (const ticket of late.splice(0)) answerOrRange(ticket)
          written.length = Math.min(written.length, one.keep)
          timesMs.length = written.length
          await clock.advance(unseenMsMax + 1)
          append(one.fill)
        }
      }
      for (const ticket of late) answerOrRange(ticket)
      for (let quiet = 0; quiet < 20; ) {
        const before = found.size
        await read(1_000)
        const wants = reader.wantsFetch(clock.nowMs())
        if (wants) answerOrRange(fetch(reader))
        quiet = found.size === before ? quiet + 1 : 0
      }
      assert.deepEqual(
        written.filter((word) => !found.has(word)),
        [],
      )
    }),
    { numRuns: 500 },
  )
})

interface Place {
  readonly position: number
  readonly anchor: LogAnchor | undefined
}

test('who keeps up proves nothing, who comes back asks for its last record first', async () => {
  const { reader, written, fetch, answer, clock } = rig()
  written.push('a', 'b', 'c')
  const reading = reader.read({ partition, position: 0, bytesMax, waitMs: 1_000 })
  answer(fetch(), 2)
  assert.deepEqual((await reading).anchor, { position: 1, appendedAtMs: baseMs })
  for (let round = 0; round < 3; round++) {
    const ticket = fetch()
    assert.deepEqual([ticket.offset, ticket.anchor], [round === 0 ? 2 : 3, undefined])
    answer(ticket)
    await clock.advance(unseenMsMax)
  }
  const asksAgain = (): void => {
    const ticket = fetch()
    assert.deepEqual([ticket.offset, ticket.next], [2, 3])
    assert.equal(answer(ticket), true)
    assert.equal(fetch().offset, 3)
  }
  await clock.advance(1)
  asksAgain()
  reader.failed()
  asksAgain()
  assert.deepEqual([reader.ticket(1_000, nodeId + 1).offset, fetch().offset], [2, 2])
})

test('a damaged batch is no anchor, and one that is damaged after it was read is no other log', async () => {
  const { reader, openReader, clock } = rig()
  const [a, b, c] = ['a', 'b', 'c'].map((word, offset) => recordSet([word], offset)) as [Buffer, Buffer, Buffer]
  const damaged = Buffer.from(b)
  // The largest time in the batch, decades on.
  damaged.writeUInt8(damaged.readUInt8(36) ^ 2, 36)
  const read = async (from: PartitionReader, anchor: LogAnchor | undefined, set: Buffer) => {
    const position = anchor === undefined ? 0 : anchor.position + 1
    const reading = from.read({ partition, position, bytesMax, waitMs: 1_000, ...(anchor && { anchor }) })
    const ticket = from.ticket(1_000, nodeId)
    assert.equal(from.accept(ticket, { highWatermark: 3, recordSet: set }), true)
    await clock.advance(0)
    return reading
  }
  const first = await read(reader, undefined, Buffer.concat([a, damaged]))
  assert.deepEqual(
    first.records.map(({ unreadable, appendedAtMs }) => [unreadable !== undefined, appendedAtMs]),
    [
      [false, baseMs],
      [true, baseMs],
    ],
  )
  assert.deepEqual([first.nextPosition, first.anchor], [2, { position: 0, appendedAtMs: baseMs }])
  const later = await read(openReader(), { position: 1, appendedAtMs: baseMs }, Buffer.concat([damaged, c]))
  assert.deepEqual([later.gap, wordsOf(later)], [undefined, ['c']])
})

test('a log that lost its end and was filled again is read anew from its oldest record, after what was fetched before', async () => {
  const { reader, written, timesMs, fetch, answer, answerOrRange, clock } = rig()
  written.push('a', 'b', 'c', 'd')
  const reading = reader.read({ partition, position: 0, bytesMax: 3, waitMs: 1_000 })
  answer(fetch(), 4)
  const { anchor, nextPosition: position } = await reading
  await clock.advance(unseenMsMax + 1)
  written.splice(2, 2, 'c again', 'd again', 'e')
  timesMs.push(baseMs, baseMs, clock.nowMs(), clock.nowMs(), clock.nowMs())
  answerOrRange(fetch(), 5)
  const rest = await reader.read({ partition, position, anchor, bytesMax, waitMs: 1_000 })
  assert.deepEqual(wordsOf(rest), ['d'])
  const other = await reader.read({ partition, position: 4, anchor: rest.anchor, bytesMax, waitMs: 1_000 })
  const gap = { fromPosition: 4, toPosition: 0, reason: 'rewound' }
  assert.deepEqual(other, { records: [], nextPosition: 0, atEnd: false, gap })
  const anew = reader.read({ partition, position: 0, bytesMax, waitMs: 1_000 })
  answerOrRange(fetch(), 5)
  assert.deepEqual(wordsOf(await anew), ['a', 'b', 'c again', 'd again', 'e'])
})

test('a log that is suddenly shorter than it was has to prove itself before more of it is read', async () => {
  const { reader, written, timesMs, fetch, answerOrRange } = rig()
  written.push('a', 'b', 'c', 'd', 'e', 'f', 'g')
  const reading = reader.read({ partition, position: 0, bytesMax, waitMs: 1_000 })
  answerOrRange(fetch(), 2)
  const { anchor } = await reading
  written.splice(0, 7, 'A', 'B', 'C', 'D')
  timesMs.push(...[1, 2, 3, 4].map((ms) => baseMs + ms))
  answerOrRange(fetch())
  answerOrRange(fetch())
  const { gap } = await reader.read({ partition, position: 2, anchor, bytesMax, waitMs: 1_000 })
  assert.deepEqual(gap, { fromPosition: 2, toPosition: 0, reason: 'rewound' })
})

test('an anchor past the place to read from is looked at before anything is read, and with what its batch takes', async () => {
  const { reader, written, fetch, answer } = rig()
  written.push('a', 'b', 'c', 'd')
  const anchor = { position: 2, appendedAtMs: baseMs }
  const reading = reader.read({ partition, position: 1, anchor, bytesMax, waitMs: 1_000 })
  const first = fetch()
  assert.equal(first.offset, 2)
  // There are records, but no room for a batch of them.
  assert.equal(reader.accept(first, { highWatermark: 4, recordSet: Buffer.alloc(0) }), true)
  const second = fetch()
  assert.deepEqual([second.offset, second.bytesMax], [2, 2 * first.bytesMax])
  assert.equal(answer(second), true)
  assert.equal(answer(fetch()), true)
  assert.deepEqual(wordsOf(await reading), ['b', 'c', 'd'])
})

test('an anchor that retention dropped proves nothing; what was wanted before the oldest record is a gap of retention', async () => {
  const { reader, fetch, clock } = rig()
  const anchor = { position: 4, appendedAtMs: baseMs }
  const reading = reader.read({ partition, position: 2, anchor, bytesMax, waitMs: 1_000 })
  reader.outOfRange(fetch(), { oldest: 7, next: 9 })
  const gap = { fromPosition: 2, toPosition: 7, reason: 'retention' }
  assert.deepEqual((await reading).gap, gap)
  const rest = reader.read({ partition, position: 7, anchor, bytesMax, waitMs: 1_000 })
  reader.outOfRange(fetch(), { oldest: 7, next: 9 })
  const ticket = fetch()
  assert.deepEqual([ticket.offset, ticket.anchor], [7, undefined])
  reader.accept(ticket, { highWatermark: 9, recordSet: recordSet(['h', 'i'], 7, clock.nowMs()) })
  assert.deepEqual(wordsOf(await rest), ['h', 'i'])
})

test('a log that has not yet shown its end again is waited for, not given up', async () => {
  const { reader, written, fetch, answer, answerOrRange } = rig()
  written.push('a', 'b')
  const anchor = { position: 1, appendedAtMs: baseMs }
  const reading = reader.read({ partition, position: 2, anchor, bytesMax, waitMs: 1_000 })
  // A new leader that has the records, and does not know yet that all replicas do.
  const early = fetch()
  assert.equal(reader.accept(early, { highWatermark: 1, recordSet: Buffer.alloc(0) }), false)
  reader.outOfRange(early, { oldest: 0, next: 2 })
  assert.equal(answer(fetch()), true)
  written.push('c')
  answerOrRange(fetch())
  assert.deepEqual(wordsOf(await reading), ['c'])
})
