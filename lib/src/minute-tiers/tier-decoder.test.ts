/** Both tiers, decoded and merged: against a map of what is hot over a map of what is sealed. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { HourBlockEncoder } from '@minutely/schema/hour-block/encode-hour-block'
import { createMinuteColumns } from '@minutely/schema/hour-block/minute-columns'
import { secondsPerMinute } from '@minutely/schema/limits'
import { chunkOf, recordBytes, viewOf, writeRecord } from '@minutely/schema/minute-block/minute-block'
import fc from 'fast-check'
import { TierDecoder } from './tier-decoder.ts'
import { TierMerge, type TierMinute, type TierRange, type UnreadableHourError } from './tier-merge.ts'

interface Row {
  readonly seriesId: number
  readonly minute: number
  readonly seen: bigint
  readonly min: number
  readonly max: number
  readonly sum: number
}

interface Block {
  readonly seriesId: number
  readonly hour: number
  readonly block: Uint8Array
}

const header = Buffer.concat([Buffer.from('PGCOPY\n\xff\r\n\0', 'latin1'), Buffer.alloc(8)])
const trailer = Buffer.from([0xff, 0xff])
const microsOf = (minute: number): bigint => BigInt(minute * 60_000 - Date.UTC(2000)) * 1_000n

/** A row as Postgres writes it; DataView and BigInt throughout, other than the code under test. */
function tuple(fields: readonly (Buffer | null)[]): Buffer {
  const int16 = Buffer.alloc(2)
  int16.writeInt16BE(fields.length)
  const parts = fields.map((field) => {
    const length = Buffer.alloc(4)
    new DataView(length.buffer, length.byteOffset).setInt32(0, field === null ? -1 : field.length)
    return field === null ? length : Buffer.concat([length, field])
  })
  return Buffer.concat([int16, ...parts])
}

function field(bytes: 4 | 8, write: (view: DataView) => void): Buffer {
  const view = new DataView(new ArrayBuffer(bytes))
  write(view)
  return Buffer.from(view.buffer)
}

const int32 = (value: number): Buffer => field(4, (view) => view.setInt32(0, value))
const int64 = (value: bigint): Buffer => field(8, (view) => view.setBigInt64(0, value))

const tupleOf = (place: number, micros: bigint, bytes: Uint8Array | null): Buffer =>
  tuple([int32(place), int64(micros), bytes === null ? null : Buffer.from(bytes)])

/** Records of one minute, from the first to the last series; others in between are empty. */
function minuteTuple(rows: readonly Row[]): Buffer {
  const ids = rows.map(({ seriesId }) => seriesId)
  const first = Math.min(...ids)
  const bytes = Buffer.alloc((Math.max(...ids) - first + 1) * recordBytes)
  for (const { seriesId, seen, min, max, sum } of rows) {
    const halves = { low: Number(seen & 0x3fffffffn), high: Number(seen >> 30n) }
    writeRecord(viewOf(bytes), seriesId - first, { ...halves, min, max, sum })
  }
  return tupleOf(first, microsOf(rows[0]?.minute ?? 0), bytes)
}

const blockTuple = ({ seriesId, hour, block }: Block): Buffer =>
  tupleOf(seriesId, microsOf(hour * 60) - 1_000_000n, block)
const tagTuple = (seriesId: number, tag: number): Buffer => tupleOf(seriesId, -(2n ** 63n), int32(tag))

function blockOf(rows: readonly Row[]): Uint8Array {
  const columns = createMinuteColumns(60)
  for (const { minute, seen, min, max, sum } of rows) {
    const slot = minute % 60
    columns.seenLow[slot] = Number(seen & 0x3fffffffn)
    columns.seenHigh[slot] = Number(seen >> 30n)
    columns.min[slot] = min
    columns.max[slot] = max
    columns.sum[slot] = sum
  }
  return new HourBlockEncoder().encode(columns, 0)
}

const asRow = ({ seriesId, minute, seenLow, seenHigh, min, max, sum }: TierMinute): Row => {
  return { seriesId, minute, seen: (BigInt(seenHigh) << 32n) | BigInt(seenLow), min, max, sum }
}
const everything = { fromMinute: -Infinity, toMinute: Infinity }

function decode(bytes: Buffer, pieceBytes: number, range: TierRange = everything): Row[] {
  const got: Row[] = []
  const decoder = new TierDecoder(new TierMerge(range, { minute: (row) => got.push(asRow(row)) }))
  for (let at = 0; at < bytes.length; at += pieceBytes) decoder.push(bytes.subarray(at, at + pieceBytes))
  decoder.end()
  return got
}

const values = {
  seen: fc.bigInt({ min: 1n, max: (1n << BigInt(secondsPerMinute)) - 1n }),
  min: fc.double({ noNaN: true, noDefaultInfinity: true }),
  max: fc.double({ noNaN: true, noDefaultInfinity: true }),
  sum: fc.double({ noNaN: true, noDefaultInfinity: true }),
}
const pieces = fc.integer({ min: 1, max: 400 })

const keyOf = ({ seriesId, minute }: Row): string => `${seriesId} ${minute}`
const hourOf = ({ minute }: Row): number => Math.floor(minute / 60)

/** As the query orders them. */
function tuplesOf(sealed: readonly Row[], hot: readonly Row[]): Buffer[] {
  const tuples: { readonly order: readonly number[]; readonly bytes: Buffer }[] = []
  for (const rows of Map.groupBy(sealed, (row) => `${row.seriesId} ${hourOf(row)}`).values()) {
    const [one] = rows as [Row]
    const { seriesId } = one
    const bytes = blockTuple({ seriesId, hour: hourOf(one), block: blockOf(rows) })
    tuples.push({ order: [chunkOf(seriesId), hourOf(one) * 60 - 0.5, seriesId], bytes })
  }
  for (const rows of Map.groupBy(hot, ({ seriesId, minute }) => `${chunkOf(seriesId)} ${minute}`).values()) {
    const [{ seriesId, minute }] = rows as [Row]
    tuples.push({ order: [chunkOf(seriesId), minute, 0], bytes: minuteTuple(rows) })
  }
  return tuples.sort((a, b) => compare(a.order, b.order)).map(({ bytes }) => bytes)
}

const compare = (a: readonly number[], b: readonly number[]): number =>
  a.map((value, at) => value - (b[at] as number)).find((difference) => difference !== 0) ?? 0
const inOrder = (rows: Iterable<Row>): Row[] =>
  [...rows].sort((a, b) => {
    const orderOf = (row: Row): number[] => [chunkOf(row.seriesId), hourOf(row), row.seriesId, row.minute]
    return compare(orderOf(a), orderOf(b))
  })

/** Ids of two chunks, the last of the first among them. */
const seriesIds = fc.constantFrom<number>(1, 2, 30, 31, 32, 63)
const rowsOf = (minutes: fc.Arbitrary<number>, maxLength: number) =>
  fc.uniqueArray(fc.record({ seriesId: seriesIds, minute: minutes, ...values }, { noNullPrototype: true }), {
    maxLength,
    selector: keyOf,
  })

describe('the tiers as a binary COPY', () => {
  it('are decoded whatever pieces they come in, before and after 2000', () => {
    const minutes = fc.integer({ min: 631_152_000 / 60, max: 4_102_444_800 / 60 })
    fc.assert(
      fc.property(rowsOf(minutes, 5), pieces, (rows, pieceBytes) => {
        assert.deepEqual(decode(Buffer.concat([header, ...tuplesOf([], rows), trailer]), pieceBytes), inOrder(rows))
      }),
    )
  })

  it('give each minute once: the hot one where there is one, of a series in the order of time, of the range and the series asked for', () => {
    const minutes = fc.integer({ min: 600, max: 800 })
    fc.assert(
      fc.property(
        rowsOf(minutes, 60),
        rowsOf(minutes, 40),
        pieces,
        fc.uniqueArray(seriesIds),
        (sealed, hot, pieceBytes, asked) => {
          const union = new Map([...sealed, ...hot].map((row) => [keyOf(row), row]))
          const bytes = Buffer.concat([header, ...tuplesOf(sealed, hot), trailer])
          assert.deepEqual(decode(bytes, pieceBytes), inOrder(union.values()))
          const isIn = ({ minute, seriesId }: Row): boolean => minute >= 630 && minute < 745 && asked.includes(seriesId)
          assert.deepEqual(
            decode(bytes, pieceBytes, { fromMinute: 630, toMinute: 745, seriesIds: asked }),
            inOrder(union.values().filter(isIn)),
          )
        },
      ),
    )
  })

  it('carry the tag of each series', () => {
    const one = { seriesId: 7, minute: 660, seen: 1n, min: 1, max: 1, sum: 1 }
    const block = blockTuple({ seriesId: 7, hour: 11, block: blockOf([one, { ...one, minute: 661 }]) })
    const got: [number, number, number][] = []
    const merge = new TierMerge(everything, {
      minute: ({ seriesId, minute, tag }) => got.push([seriesId, minute, tag]),
    })
    const decoder = new TierDecoder(merge)
    const hot = minuteTuple([one, { ...one, seriesId: 8 }])
    const next = minuteTuple([{ ...one, seriesId: 40 }])
    decoder.push(Buffer.concat([header, tagTuple(7, -2), tagTuple(8, 5), block, hot, tagTuple(40, 9), next, trailer]))
    decoder.end()
    assert.deepEqual(got, [
      [7, 660, 2 ** 32 - 2],
      [7, 661, 2 ** 32 - 2],
      [8, 660, 5],
      [40, 660, 9],
    ])
  })

  it('with what cannot be read: an error that names it, or the rest alone for whoever asks for it', () => {
    const hot = { seriesId: 7, minute: 660, seen: 1n, min: 1, max: 1, sum: 1 }
    const damaged = {
      'an hour block of another version': blockTuple({ seriesId: 7, hour: 11, block: Buffer.from([99, 0, 0]) }),
      'a minute block of another layout': tupleOf(7, microsOf(661), null),
      'a minute block with half a record': tupleOf(7, microsOf(661), Buffer.alloc(48)),
      'a minute block that leaves its chunk': tupleOf(30, microsOf(661), Buffer.alloc(96)),
    }
    for (const [what, tupleBytes] of Object.entries(damaged)) {
      const first = what.startsWith('an hour') ? [tupleBytes, minuteTuple([hot])] : [minuteTuple([hot]), tupleBytes]
      const bytes = Buffer.concat([header, ...first, trailer])
      assert.throws(() => decode(bytes, 1_000), { name: 'UnreadableHourError', hour: 11 }, what)
      const [got, errors]: [Row[], UnreadableHourError[]] = [[], []]
      const sinks = {
        minute: (row: TierMinute) => got.push(asRow(row)),
        unreadable: (error: UnreadableHourError) => errors.push(error),
      }
      const decoder = new TierDecoder(new TierMerge(everything, sinks))
      decoder.push(bytes)
      decoder.end()
      assert.deepEqual([got, errors.map(({ hour }) => hour)], [[hot], [11]], what)
    }
  })

  it('with a minute block that cannot be read: no older state of its minute, out of hour blocks, is given for it', () => {
    const old = { seriesId: 9, minute: 660, seen: 1n, min: 1, max: 1, sum: 1 }
    const kept = [
      { ...old, minute: 661 },
      { ...old, seriesId: 6 },
    ]
    const sealed = blockTuple({ seriesId: 6, hour: 11, block: blockOf(kept.slice(1)) })
    const alike = blockTuple({ seriesId: 9, hour: 11, block: blockOf([old, ...kept.slice(0, 1)]) })
    const got: Row[] = []
    const sinks = { minute: (row: TierMinute) => got.push(asRow(row)), unreadable: () => {} }
    const decoder = new TierDecoder(new TierMerge(everything, sinks))
    decoder.push(Buffer.concat([header, sealed, alike, tupleOf(7, microsOf(660), null), trailer]))
    decoder.end()
    assert.deepEqual(got, kept.toReversed())
  })

  it('that end within a tuple are a defect', () => {
    const decoder = new TierDecoder(new TierMerge(everything, { minute: () => {} }))
    decoder.push(Buffer.alloc(5))
    assert.throws(() => decoder.end(), /BUG/)
  })
})
