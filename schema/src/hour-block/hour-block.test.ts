/** What is read from an hour block is what was written, bit for bit, whatever it is; and the blocks of the first release are read as ever. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import fc from 'fast-check'
import { HourBlockDecoder } from './decode-hour-block.ts'
import { HourBlockEncoder } from './encode-hour-block.ts'
import { createMinuteColumns, type MinuteColumns, minutesPerHour } from './minute-columns.ts'
import { allKinds, bitsOf, hourOf } from './test-hours.ts'
import { decodePlainly, type PlainMinute } from './test-plain-decoder.ts'

const encoder = new HourBlockEncoder()
const decoder = new HourBlockDecoder()

const half = fc.integer({ min: 0, max: 2 ** 30 - 1 })
const whole = 2 ** 30 - 1
const run = fc
  .tuple(fc.nat(59), fc.nat(59))
  .map(([a, b]) => sixtyOf((second) => second >= Math.min(a, b) && second <= Math.max(a, b)))
const gap = fc
  .tuple(fc.nat(58), fc.nat(58))
  .map(([a, b]) => sixtyOf((second) => second < Math.min(a, b) || second > Math.max(a, b)))
const stride = fc
  .tuple(fc.nat(59), fc.integer({ min: 1, max: 59 }))
  .map(([from, step]) => sixtyOf((second) => second >= from && (second - from) % step === 0))
const anySet = fc.tuple(half, half).map(([low, high]) => ({ low: low === 0 && high === 0 ? 1 : low, high }))
const sixty = fc.oneof({ weight: 4, arbitrary: fc.constant({ low: whole, high: whole }) }, run, gap, stride, anySet)

const whatever = fc.oneof(fc.double({ noNaN: true }), fc.constantFrom(-0, 5e-324, 1e290, -1e290, 2 ** 53, 0.1 + 0.2))
const decimalOf = (digits: number): fc.Arbitrary<number> =>
  fc.oneof(fc.integer({ min: -300, max: 300 }), fc.maxSafeInteger()).map((scaled) => scaled / 10 ** digits + 0)
const value = fc.nat(8).chain((digits) => {
  const decimal = decimalOf(digits)
  return fc.constantFrom(
    decimal,
    fc.oneof({ weight: 40, arbitrary: decimal }, { weight: 1, arbitrary: whatever }),
    whatever,
    fc.constant(digits),
  )
})
const column = value.chain((each) => fc.array(each, { minLength: minutesPerHour, maxLength: minutesPerHour }))
const sets = fc.oneof(
  sixty.map((set) => Array.from({ length: minutesPerHour }, () => set)),
  fc.array(sixty, { minLength: minutesPerHour, maxLength: minutesPerHour }),
)

test('any hour comes back bit for bit, and beside it nothing is written', () => {
  fc.assert(
    fc.property(sixty, sets, fc.tuple(column, column, column), (present, seen, [min, max, sum]) => {
      const hour = hourFrom({ present, seen, min, max, sum })
      const block = encoder.encode(hour, 0)
      assert.deepEqual(decodedBits(block), bitsOf(hour, 0))
      assert.deepEqual(plainBits(decodePlainly(block).minutes), bitsOf(hour, 0))
    }),
    { numRuns: 300 },
  )
})

test('minutes of real kinds come back bit for bit, in the bytes that a plain decoder reads too', () => {
  for (const [name, kind] of Object.entries(allKinds)) {
    for (let seed = 0; seed < 5; seed++) {
      const hour = hourOf(kind, seed)
      const block = encoder.encode(hour, 0)
      assert.deepEqual(decodedBits(block), bitsOf(hour, 0), name)
      assert.deepEqual(plainBits(decodePlainly(block).minutes), bitsOf(hour, 0), name)
    }
  }
})

test('equal hours give equal bytes, from any slot', () => {
  const hour = hourOf(allKinds['gauge'] ?? (() => 0), 7)
  const columns = createMinuteColumns(200)
  for (const name of ['seenLow', 'seenHigh', 'min', 'max', 'sum'] as const) columns[name].set(hour[name], 77)
  assert.deepEqual(encoder.encode(columns, 77), encoder.encode(hour, 0))
})

test('what is no hour has no block, and no hour fits past the end', () => {
  const torn = hourOf(() => 1, 1)
  torn.seenHigh[9] = 2 ** 30
  assert.throws(() => encoder.encode(torn, 0), /BUG: minute 9 has seen seconds past its half of 30/)
  assert.throws(() => encoder.encode(createMinuteColumns(60), 0), /BUG: an hour block without minutes/)
  assert.throws(() => encoder.encode(createMinuteColumns(100), 41), /BUG: no 60 minutes fit from slot 41 on/)
  assert.throws(() => decoder.decode(Buffer.alloc(3), createMinuteColumns(100), -1), RangeError)
})

interface Fixture {
  readonly name: string
  readonly hex: string
  /** Minute, seen as 60 bits in hex, min, max, sum: doubles in the fewest digits that name them. */
  readonly minutes: readonly string[]
}

const fixtures: readonly Fixture[] = JSON.parse(
  readFileSync(new URL('../../fixtures/hour-block-v1.json', import.meta.url), 'utf8'),
)

for (const { name, hex, minutes } of fixtures) {
  test(`version 1 is read and written as ever: ${name}`, () => {
    const columns = createMinuteColumns(minutesPerHour)
    assert.equal(decoder.decode(Buffer.from(hex, 'hex'), columns, 0), minutes.length)
    assert.deepEqual(described(columns), minutes)
    assert.equal(encoder.encode(columns, 0).toString('hex'), hex)
  })
}

test('the fixtures use every part of the format', () => {
  const used = new Set(fixtures.flatMap(({ hex }) => [...decodePlainly(Buffer.from(hex, 'hex')).features]))
  assert.deepEqual([...used].sort(), [
    'column of zeros',
    'divided column',
    'max above min',
    'max above min as words',
    'max alone',
    'max alone as words',
    'odd minutes',
    'patched column',
    'pattern of kind 0',
    'pattern of kind 1',
    'pattern of kind 2',
    'pattern of kind 3',
    'plain column',
    'presence 0',
    'presence 1',
    'seen 0',
    'seen 1',
    'seen 2',
    'seen 3',
    'stepped column',
    'sum as words',
    'sum of form 0',
    'sum of form 1',
    'sum of form 2',
    'wide column',
    'words',
  ])
})

function sixtyOf(isMember: (index: number) => boolean): { low: number; high: number } {
  const set = { low: 0, high: 0 }
  for (let index = 0; index < 60; index++) {
    if (!isMember(index)) continue
    if (index < 30) set.low |= 1 << index
    else set.high |= 1 << (index - 30)
  }
  return set
}

function hourFrom(from: {
  present: { low: number; high: number }
  seen: readonly { low: number; high: number }[]
  min: readonly number[]
  max: readonly number[]
  sum: readonly number[]
}): MinuteColumns {
  const columns = createMinuteColumns(minutesPerHour)
  for (let minute = 0; minute < minutesPerHour; minute++) {
    const bit = minute < 30 ? from.present.low >>> minute : from.present.high >>> (minute - 30)
    if ((bit & 1) === 0) continue
    columns.seenLow[minute] = from.seen[minute]?.low ?? 0
    columns.seenHigh[minute] = from.seen[minute]?.high ?? 0
    columns.min[minute] = from.min[minute] ?? 0
    columns.max[minute] = from.max[minute] ?? 0
    columns.sum[minute] = from.sum[minute] ?? 0
  }
  return columns
}

/** Decodes between slots that hold something else, which must still be there. */
function decodedBits(block: Uint8Array): string[] {
  const columns = createMinuteColumns(3 * minutesPerHour)
  for (const slots of Object.values(columns)) slots.fill(77)
  decoder.decode(block, columns, minutesPerHour)
  for (const slots of Object.values(columns) as (Int32Array | Float64Array)[]) {
    const beside = [...slots.subarray(0, minutesPerHour), ...slots.subarray(2 * minutesPerHour)]
    assert.ok(beside.every((number) => number === 77))
  }
  return bitsOf(columns, minutesPerHour)
}

function plainBits(minutes: readonly PlainMinute[]): string[] {
  const columns = createMinuteColumns(minutesPerHour)
  for (const { minute, seen, min, max, sum } of minutes) {
    columns.seenLow[minute] = Number(seen & BigInt(whole))
    columns.seenHigh[minute] = Number(seen >> 30n)
    columns.min[minute] = min
    columns.max[minute] = max
    columns.sum[minute] = sum
  }
  return bitsOf(columns, 0)
}

function described(columns: MinuteColumns): readonly string[] {
  const text = (number: number | undefined): string => (Object.is(number, -0) ? '-0' : String(number))
  return Array.from({ length: minutesPerHour }, (_, minute) => {
    const seen = (BigInt(columns.seenHigh[minute] ?? 0) << 30n) | BigInt(columns.seenLow[minute] ?? 0)
    const values = [columns.min[minute], columns.max[minute], columns.sum[minute]].map(text)
    return seen === 0n ? '' : [minute, seen.toString(16), ...values].join(' ')
  }).filter((row) => row !== '')
}
