/** Numbers as bytes: what JSON.stringify writes. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { JsonBytes } from './json-bytes.ts'

const decimal = fc
  .tuple(fc.oneof(fc.maxSafeInteger(), fc.integer({ min: -9_999, max: 9_999 }), fc.integer()), fc.nat(12))
  .map(([whole, digits]) => whole / 10 ** digits)
const edges = fc.constantFrom(
  ...[0, -0, 1e-6, 1e-7, 123e-8, 9.999999, 1e9 - 1, 1e9, 1e9 + 1, 1e15, 1e15 - 1, 1e15 - 0.5, 1e15 + 1, 2 ** 53],
  ...[1e21, 1e22, -1e290, 5e-324, 0.1 + 0.2, 1 / 3, 2 ** 52 + 0.5, 999_999_999.999_999, 0.000_001_5],
  ...[Number.NaN, Number.POSITIVE_INFINITY],
)
/** As an answer has them: a number without samples is none. */
function write(out: JsonBytes, values: readonly (number | null)[]): void {
  const column = {
    values: Float64Array.from([7, ...values.map((value) => value ?? 3)]),
    counts: Uint32Array.from([1, ...values.map((value) => (value === null ? 0 : 1))]),
    divided: false,
  }
  out.numbers(column, { at: 1, count: values.length })
}

const value = fc.oneof(decimal, fc.double(), fc.double({ min: -1e6, max: 1e6 }), edges, fc.constant(null))

test('arrays of numbers are those of JSON.stringify, to the byte, whatever came before', () => {
  const out = new JsonBytes(64)
  fc.assert(
    fc.property(fc.array(value), (values) => {
      write(out, values)
      assert.equal(out.take().toString('latin1'), JSON.stringify(values))
    }),
    { numRuns: 5_000 },
  )
})

test('every decimal of up to three digits, and sums of them by 60', () => {
  const out = new JsonBytes(64)
  for (let from = -20_000; from < 1_000_000; from += 7_919) {
    const values = Array.from({ length: 300 }, (_, index) => (from + index) / 10 ** (index % 4))
    const all = [...values, ...values.map((number) => number / 60)]
    write(out, all)
    assert.equal(out.take().toString('latin1'), JSON.stringify(all))
  }
})

test('what is divided by its count, each by its own', () => {
  const out = new JsonBytes(8)
  const column = { values: Float64Array.of(1, 10, 3.5, 4), counts: Uint32Array.of(3, 0, 60, 2), divided: true }
  out.numbers(column, { at: 0, count: 4 })
  assert.equal(out.take().toString(), JSON.stringify([1 / 3, null, 3.5 / 60, 2]))
})

test('text of any language, between numbers, in pieces that stay as they are', () => {
  const out = new JsonBytes(8)
  fc.assert(
    fc.property(fc.array(fc.string({ unit: 'grapheme' })), (texts) => {
      const pieces = texts.map((text) => {
        out.text(text)
        write(out, [text.length])
        return out.take()
      })
      assert.deepEqual(
        pieces.map((piece) => piece.toString()),
        texts.map((text) => `${text.toWellFormed()}[${text.length}]`),
      )
    }),
  )
})
