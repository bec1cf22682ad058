/** Both tiers, decoded and merged: against a map of what is hot over a map of what is sealed. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { HourBlockEncoder } from '@minutely/schema/hour-block/encode-hour-block'
import { createMinuteColumns } from '@minutely/schema/hour-block/minute-columns'
import { secondsPerMinute } from '@minutely/schema/limits'
import fc from 'fast-check'
import { TierDecoder } from './tier-decoder.ts'
import { TierMerge, type TierMinute, type UnreadableHourError } from './tier-merge.ts'

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
const float64 = (value: number): Buffer => field(8, (view) => view.setFloat64(0, value))

const hotTuple = ({ seriesId, minute, seen, min, max, sum }: Row, tags: readonly Buffer[] = []): Buffer =>
  tuple([int32(seriesId), int64(microsOf(minute)), int64(seen), ...[min, max, sum].map(float64), null, ...tags])
const blockTuple = ({ seriesId, hour, block }: Block, tags: readonly Buffer[] = []): Buffer =>
  tuple([
    int32(seriesId),
    int64(microsOf(hour * 60) - 1_000_000n),
    ...[null, null, null, null],
    Buffer.from(block),
    ...tags,
  ])

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

function decode(bytes: Buffer, pieceBytes: number, range = everything): Row[] {
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

describe('the tiers as a binary COPY', () => {
  it('are decoded whatever pieces they come in, before and after 2000', () => {
    const row = fc.record(
      {
        seriesId: fc.integer({ min: 1, max: 2 ** 31 - 1 }),
        minute: fc.integer({ min: 631_152_000 / 60, max: 4_102_444_800 / 60 }),
        ...values,
      },
      { noNullPrototype: true },
    )
    fc.assert(
      fc.property(fc.array(row, { maxLength: 5 }), pieces, (rows, pieceBytes) => {
        const bytes = Buffer.concat([header, ...rows.map((one) => hotTuple(one)), trailer])
        assert.deepEqual(decode(bytes, pieceBytes), rows)
      }),
    )
  })

  it('give each minute once: the hot row where there is one, in the order of series and time', () => {
    const row = fc.record(
      {
        seriesId: fc.integer({ min: 1, max: 3 }),
        minute: fc.integer({ min: 600, max: 800 }),
        ...values,
      },
      { noNullPrototype: true },
    )
    const keyOf = ({ seriesId, minute }: Row): number => seriesId * 10_000 + minute
    const byKey = (rows: readonly Row[]): Map<number, Row> => new Map(rows.map((one) => [keyOf(one), one]))
    fc.assert(
      fc.property(
        fc.array(row, { maxLength: 60 }),
        fc.array(row, { maxLength: 12 }),
        pieces,
        (sealed, hot, pieceBytes) => {
          const [sealedOf, hotOf] = [byKey(sealed), byKey(hot)]
          const blocks = Map.groupBy(
            sealedOf.values(),
            ({ seriesId, minute }) => seriesId * 10_000 + Math.floor(minute / 60) * 60,
          )
          const tuples: [number, Buffer][] = [...hotOf].map(([key, one]) => [key, hotTuple(one)])
          for (const [key, rows] of blocks) {
            const [{ seriesId, minute } = { seriesId: 0, minute: 0 }] = rows
            tuples.push([key - 0.5, blockTuple({ seriesId, hour: Math.floor(minute / 60), block: blockOf(rows) })])
          }
          const ordered = tuples.sort(([a], [b]) => a - b).map(([, bytes]) => bytes)
          const expected = [...new Map([...sealedOf, ...hotOf]).values()].sort((a, b) => keyOf(a) - keyOf(b))
          const bytes = Buffer.concat([header, ...ordered, trailer])
          assert.deepEqual(decode(bytes, pieceBytes), expected)
          const range = { fromMinute: 630, toMinute: 745 }
          const within = hot.every(({ minute }) => minute >= 630 && minute < 745)
          const isIn = ({ minute }: Row): boolean => minute >= 630 && minute < 745
          if (within) assert.deepEqual(decode(bytes, pieceBytes, range), expected.filter(isIn))
        },
      ),
    )
  })

  it('carry the tag of each series, of blocks too', () => {
    const one = { seriesId: 7, minute: 660, seen: 1n, min: 1, max: 1, sum: 1 }
    const tags = [int32(-2)]
    const block = blockTuple({ seriesId: 7, hour: 11, block: blockOf([one, { ...one, minute: 661 }]) }, tags)
    const got: [number, number][] = []
    const merge = new TierMerge(everything, { minute: ({ minute, tag }) => got.push([minute, tag]) })
    const decoder = new TierDecoder(merge, { isTagged: true })
    decoder.push(Buffer.concat([header, block, hotTuple(one, tags), trailer]))
    decoder.end()
    assert.deepEqual(
      got,
      [660, 661].map((minute) => [minute, 2 ** 32 - 2]),
    )
  })

  it('with a block that cannot be read: an error that names it, or its hot rows alone for whoever asks for them', () => {
    const hot = { seriesId: 7, minute: 660, seen: 1n, min: 1, max: 1, sum: 1 }
    const bytes = Buffer.concat([
      header,
      blockTuple({ seriesId: 7, hour: 11, block: Buffer.from([99, 0, 0]) }),
      hotTuple(hot),
      trailer,
    ])
    assert.throws(() => decode(bytes, 1_000), { name: 'UnreadableHourError', seriesId: 7, hour: 11 })
    const [got, errors]: [Row[], UnreadableHourError[]] = [[], []]
    const sinks = {
      minute: (row: TierMinute) => got.push(asRow(row)),
      unreadable: (error: UnreadableHourError) => errors.push(error),
    }
    const decoder = new TierDecoder(new TierMerge(everything, sinks))
    decoder.push(bytes)
    decoder.end()
    assert.deepEqual([got, errors.map(({ hour }) => hour)], [[hot], [11]])
  })

  it('that end within a row are a defect', () => {
    const decoder = new TierDecoder(new TierMerge(everything, { minute: () => {} }))
    decoder.push(Buffer.alloc(5))
    assert.throws(() => decoder.end(), /BUG/)
  })
})
