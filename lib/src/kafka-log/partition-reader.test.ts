import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { VirtualClock } from '../clock.ts'
import { FetchBudget } from './fetch-budget.ts'
import { ByteWriter } from './kafka-bytes.ts'
import { type FetchTicket, PartitionReader } from './partition-reader.ts'
import { ReadWaits } from './read-waits.ts'
import { encodeRecordBatch } from './record-batch.ts'
import { PlainFraming, type RecordFraming, SchemaUnavailableError } from './record-framing.ts'

const partition = { topic: 'minutely.samples.a', partition: 0 }
const graceMs = 5_000
const bytesMax = 1 << 20

/** A reader, and a broker's log of one word a record that it is fetched from by hand. */
function rig(framing: RecordFraming = new PlainFraming()) {
  const clock = new VirtualClock(1_800_000_000_000)
  const budget = new FetchBudget(1 << 24)
  let sequence = 0
  const nextSequence = (): number => ++sequence
  const reader = new PartitionReader(partition, 0, {
    budget,
    framing,
    clock,
    waits: new ReadWaits({ clock }),
    bytesMax: 10_000,
    graceMs,
    nextSequence,
    onWanting: () => {},
  })
  const written: string[] = []
  const fetch = (): FetchTicket => reader.ticket(nextSequence())
  /** Answers with at most `count` records that are there now. */
  const answer = (ticket: FetchTicket, count = 3): void => {
    const part = written.slice(ticket.offset, ticket.offset + count)
    reader.accept(ticket, { highWatermark: written.length, recordSet: recordSet(part, ticket.offset) })
  }
  return { clock, budget, reader, written, fetch, answer }
}

function recordSet(words: readonly string[], offset: number): Buffer {
  if (words.length === 0) return Buffer.alloc(0)
  const plain = new PlainFraming()
  const records = words.map((word) => plain.frame(Buffer.from(word)))
  const batch = encodeRecordBatch(records, { nowMs: 1_800_000_000_000, compressBytesMin: 1_000_000 })
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
  reader.accept(reader.ticket(1), { highWatermark: 3, recordSet: Buffer.concat(sets) })
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
    reader.accept(reader.ticket(1), { highWatermark: 1, recordSet: large.subarray(0, size) })
  }
  reader.accept(reader.ticket(2), { highWatermark: 1, recordSet: large })
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
