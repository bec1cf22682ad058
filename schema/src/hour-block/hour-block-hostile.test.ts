/**
 * Bytes that are no hour block, or one that was damaged: each is refused with what and where, or read as some hour; never is anything
 * written beside the hour's slots, and never does a loop depend on what a byte claims.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { HourBlockError, hourBlockBytesMax } from './block-bytes.ts'
import { HourBlockDecoder } from './decode-hour-block.ts'
import { HourBlockEncoder } from './encode-hour-block.ts'
import { createMinuteColumns, minutesPerHour } from './minute-columns.ts'
import { allKinds, hourOf, mixed } from './test-hours.ts'

const decoder = new HourBlockDecoder()
const columns = createMinuteColumns(3 * minutesPerHour)
const blocks = Object.values(allKinds).map((kind) => {
  const hour = hourOf(kind, 11)
  // Gaps, so that each section of a block is there.
  for (const minute of [0, 1, 2, 30, 59]) hour.seenLow[minute] = hour.seenHigh[minute] = 0
  for (const minute of [7, 31]) hour.seenLow[minute] = 0x155
  return new HourBlockEncoder().encode(hour, 0)
})

/** The message, undefined when it was read. */
function refusal(bytes: Uint8Array): string | undefined {
  for (const slots of Object.values(columns)) slots.fill(77)
  let message: string | undefined
  try {
    const count = decoder.decode(bytes, columns, minutesPerHour)
    if (count < 1 || count > minutesPerHour) assert.fail(`${count} minutes`)
  } catch (error) {
    if (!(error instanceof HourBlockError)) throw error
    message = error.message
  }
  assert.ok(isUntouched(), 'written beside the hour')
  return message
}

function isUntouched(): boolean {
  for (const slots of Object.values(columns) as (Int32Array | Float64Array)[]) {
    for (let slot = 0; slot < minutesPerHour; slot++) {
      if (slots[slot] !== 77 || slots[slot + 2 * minutesPerHour] !== 77) return false
    }
  }
  return true
}

test('a block that ends early, at any byte, is refused', () => {
  for (const block of blocks) {
    for (let length = 0; length < block.length; length++) {
      assert.match(
        refusal(block.subarray(0, length)) ?? 'read',
        /^the block ends early: \d+ bytes are needed at byte \d+/,
      )
    }
  }
})

test('a block that goes on after its end is refused', () => {
  for (const block of blocks) {
    assert.equal(
      refusal(Buffer.concat([block, Buffer.alloc(2)])),
      `2 bytes follow the end of the block at byte ${block.length}`,
    )
  }
  assert.equal(
    refusal(Buffer.alloc(hourBlockBytesMax + 1)),
    `${hourBlockBytesMax + 1} bytes are no hour block, which has at most ${hourBlockBytesMax}`,
  )
})

test('other versions are refused by name', () => {
  for (const version of [0, 2, 255]) {
    const block = Buffer.from(blocks[0] ?? [])
    block[0] = version
    assert.equal(refusal(block), `an hour block of version ${version}; this release reads version 1`)
  }
})

test('any one byte changed to any other: refused or read, nothing else', () => {
  let [refused, read] = [0, 0]
  for (const block of blocks) {
    for (let at = 0; at < block.length; at++) {
      // The head and what follows it in every way, packed numbers in a few.
      const step = at < 24 ? 1 : 61
      for (let change = 1; change < 256; change += step) {
        const changed = Buffer.from(block)
        changed[at] = (block[at] ?? 0) ^ change
        if (refusal(changed) === undefined) read++
        else refused++
      }
    }
  }
  assert.ok(refused > 5_000 && read > 5_000, `${refused} refused, ${read} read`)
})

test('any bytes: refused or read, nothing else', () => {
  for (let seed = 0; seed < 20_000; seed++) {
    const length = 3 + (mixed(seed) % 200)
    const bytes = Uint8Array.from({ length }, (_, index) => mixed(seed * 1_009 + index))
    // A version that is known and flags that go together let more of them in.
    bytes[0] = 1
    if (seed % 2 === 0) bytes[2] = mixed(seed) % 3
    refusal(bytes)
  }
  fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => void refusal(Uint8Array.of(1, ...bytes))))
})

const sayings: readonly (readonly [string, RegExp])[] = [
  ['01 02 00', /^presence of kind 2 /],
  ['01 03 00', /^presence of kind 3 /],
  ['01 01 00 1e 1d', /^a run of a pattern is from 30 to 29 /],
  ['01 01 00 00 3c', /^a run of a pattern is from 0 to 60 /],
  ['01 01 00 40 3b', /^a pattern is empty /],
  ['01 01 00 80 00', /^a pattern is every 0 from 0 on /],
  ['01 01 00 c0 00 00 00 00 00 00 00', /^a pattern is empty /],
  ['01 01 00 d0 00 00 00 00 00 00 01', /^a pattern has more than 60 bits /],
  ['01 08 00 00 3b 02 05 00 01 05 00 02', /^minute 5 of 60 is told apart after 5 /],
  ['01 08 00 00 3b 01 3c 00 01', /^minute 60 of 60 is told apart after -1 /],
  ['01 00 30', /^flags 0 and scale 48 do not go together /],
  ['01 10 00', /^flags 16 and scale 0 do not go together /],
  ['01 30 01', /^flags 48 and scale 1 do not go together /],
  ['01 20 10', /^flags 32 and scale 16 do not go together /],
  ['01 00 00 36', /^a column claims numbers of 54 bits /],
  ['01 00 00 80 00', /^a column's second byte is 0 /],
  ['01 00 00 80 40', /^a column's second byte is 64 /],
  ['01 00 00 80 80 00 00', /^a column is divided by 0 /],
  ['01 00 00 80 01 00 3c 00', /^number 60 of 60 is patched after -1 /],
  ['01 00 00 80 02 00 05 00 05 00', /^number 5 of 60 is patched after 5 /],
  ['01 00 00 00 ff ff ff ff ff ff ff 7f', /^a number is beyond 2\^53 /],
  ['01 00 00 00 80 80 80 80 80 80 80 80', /^a number is longer than 8 bytes /],
  ['01 01 00 00 00 01 00 02', /^bits are set past the last of 1 packed numbers /],
]

for (const [hex, pattern] of sayings) {
  test(`${hex} is refused for what it is`, () => {
    assert.match(refusal(Buffer.from(hex.replaceAll(' ', ''), 'hex')) ?? 'it was read', pattern)
  })
}
