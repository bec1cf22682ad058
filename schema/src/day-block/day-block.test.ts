/** What is read from a day block is what was written, bit for bit; blocks of the first release are read as ever; damaged ones are refused or read. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import fc from 'fast-check'
import { HourBlockError } from '../hour-block/block-bytes.ts'
import { mixed } from '../hour-block/test-hours.ts'
import { DayBlockDecoder } from './decode-day-block.ts'
import { DayBlockEncoder } from './encode-day-block.ts'
import { createHourColumns, type HourColumns, hoursPerDay } from './hour-columns.ts'

const encoder = new DayBlockEncoder()
const decoder = new DayBlockDecoder()

const decimal = fc
  .tuple(fc.integer({ min: -1_000_000, max: 1_000_000 }), fc.nat(4))
  .map(([number, digits]) => number / 10 ** digits + 0)
const whatever = fc.oneof(fc.double({ noNaN: true }), fc.constantFrom(-0, 5e-324, 1e290, 2 ** 53, 0.1 + 0.2))
const value = fc.constantFrom(decimal, whatever, fc.oneof({ weight: 12, arbitrary: decimal }, whatever))
const column = value.chain((each) => fc.array(each, { minLength: hoursPerDay, maxLength: hoursPerDay }))
const counts = fc
  .oneof(
    fc.array(fc.constantFrom(0, 3_600), { minLength: hoursPerDay, maxLength: hoursPerDay }),
    fc.array(fc.nat(3_600), { minLength: hoursPerDay, maxLength: hoursPerDay }),
    fc.constant(Array.from({ length: hoursPerDay }, () => 3_600)),
  )
  .filter((list) => list.some((count) => count > 0))

function dayOf(count: readonly number[], [min, max, sum]: readonly (readonly number[])[]): HourColumns {
  const day = createHourColumns()
  for (let hour = 0; hour < hoursPerDay; hour++) {
    if ((count[hour] ?? 0) === 0) continue
    day.count[hour] = count[hour] ?? 0
    day.min[hour] = min?.[hour] ?? 0
    day.max[hour] = max?.[hour] ?? 0
    day.sum[hour] = sum?.[hour] ?? 0
  }
  return day
}

function bitsOf({ count, min, max, sum }: HourColumns): string[] {
  const bits = (values: Float64Array): string => Buffer.from(values.buffer).toString('hex')
  return [count.join(), bits(min), bits(max), bits(sum)]
}

function decoded(block: Uint8Array): HourColumns {
  const day = createHourColumns()
  for (const values of Object.values(day)) values.fill(77)
  decoder.decode(block, day)
  return day
}

test('any day comes back bit for bit', () => {
  fc.assert(
    fc.property(counts, fc.tuple(column, column, column), (count, columns) => {
      const day = dayOf(count, columns)
      assert.deepEqual(bitsOf(decoded(encoder.encode(day))), bitsOf(day))
    }),
    { numRuns: 500 },
  )
})

test('what is no day has no block', () => {
  assert.throws(() => encoder.encode(createHourColumns()), /BUG: a day block without hours/)
  const long = dayOf([3_601], [])
  assert.throws(() => encoder.encode(long), /BUG: an hour of more than 3600 samples/)
})

interface Fixture {
  readonly name: string
  readonly hex: string
  /** Hour, samples, min, max, sum. */
  readonly hours: readonly string[]
}

const fixtures: readonly Fixture[] = JSON.parse(
  readFileSync(new URL('../../fixtures/day-block-v1.json', import.meta.url), 'utf8'),
)

function described({ count, min, max, sum }: HourColumns): string[] {
  return Array.from(count, (samples, hour) => {
    const texts = [min[hour], max[hour], sum[hour]].map((number) => (Object.is(number, -0) ? '-0' : String(number)))
    return samples === 0 ? '' : [hour, samples, ...texts].join(' ')
  }).filter((line) => line !== '')
}

for (const { name, hex, hours } of fixtures) {
  test(`version 1 is read and written as ever: ${name}`, () => {
    const day = decoded(Buffer.from(hex, 'hex'))
    assert.deepEqual(described(day), hours)
    assert.equal(encoder.encode(day).toString('hex'), hex)
  })
}

function refusal(bytes: Uint8Array): string | undefined {
  try {
    decoded(bytes)
    return undefined
  } catch (error) {
    if (!(error instanceof HourBlockError)) throw error
    return error.message
  }
}

test('a block that ends early or goes on after its end is refused', () => {
  for (const { hex } of fixtures) {
    const block = Buffer.from(hex, 'hex')
    for (let length = 0; length < block.length; length++) {
      assert.match(refusal(block.subarray(0, length)) ?? 'read', /^the block ends early/)
    }
    assert.match(refusal(Buffer.concat([block, Buffer.alloc(2)])) ?? 'read', /^2 bytes follow the end/)
  }
})

test('any one byte changed to any other: refused or read, nothing else', () => {
  let [refused, read] = [0, 0]
  for (const { hex } of fixtures) {
    const block = Buffer.from(hex, 'hex')
    for (let at = 0; at < block.length; at++) {
      for (let change = 1; change < 256; change += at < 16 ? 1 : 37) {
        const changed = Buffer.from(block)
        changed[at] = (block[at] ?? 0) ^ change
        if (refusal(changed) === undefined) read++
        else refused++
      }
    }
  }
  assert.ok(refused > 1_000 && read > 1_000, `${refused} refused, ${read} read`)
})

test('any bytes: refused or read, nothing else', () => {
  for (let seed = 0; seed < 10_000; seed++) {
    const bytes = Uint8Array.from({ length: 6 + (mixed(seed) % 200) }, (_, index) => mixed(seed * 1_009 + index))
    bytes[0] = 1
    if (seed % 2 === 0) bytes[4] = bytes[5] = 0
    refusal(bytes)
  }
})

const sayings: readonly (readonly [string, RegExp])[] = [
  ['02 01 00 00 00 00', /^a day block of version 2; this release reads version 1/],
  ['01 00 00 00 00 00', /^a day has no hours /],
  ['01 01 00 00 01 00', /^flags 1 and scale 0 do not go together /],
  ['01 01 00 00 10 00', /^flags 16 and scale 0 do not go together /],
  ['01 01 00 00 00 30', /^flags 0 and scale 48 do not go together /],
  ['01 01 00 00 00 00 3f', /^an hour has 0 samples /],
  ['01 01 00 00 00 00 00 a2 38', /^an hour has 3601 samples /],
]

for (const [hex, pattern] of sayings) {
  test(`${hex} is refused for what it is`, () => {
    assert.match(refusal(Buffer.from(hex.replaceAll(' ', ''), 'hex')) ?? 'it was read', pattern)
  })
}
