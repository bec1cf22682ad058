/** What is kept of sealed hours: valid for its version only, within its bound, whatever is read in whatever order. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { lackingHours, SealedCache, type SeriesHours } from './sealed-cache.ts'

const span = { fromHour: 1_000, toHour: 1_006 }
const block = (hour: number, text: string): Buffer => {
  const head = Buffer.alloc(8)
  head.writeInt32BE(hour, 0)
  head.writeInt32BE(text.length, 4)
  return Buffer.concat([head, Buffer.from(text)])
}
const textOf = ({ firstHour, starts, lengths, bytes }: SeriesHours, hour: number): string => {
  const start = starts[hour - firstHour] ?? 0
  return bytes.toString('latin1', start, start + (lengths[hour - firstHour] ?? 0))
}
const cacheOf = (bytesMax: number, seen: { bytes: number } = { bytes: 0 }): SealedCache =>
  new SealedCache(bytesMax, {
    bytes: (bytes) => {
      seen.bytes = bytes
    },
    forgotten: () => {},
  })

const step = fc.record({
  seriesId: fc.nat(2),
  hour: fc.integer({ min: span.fromHour, max: span.toHour - 1 }),
  toHour: fc.integer({ min: 1, max: 3 }),
  change: fc.constantFrom('version', 'dirty', 'none', 'none', 'none'),
})

test('gives what the store has for the version it has, after any changes; or says what it lacks', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const cache = cacheOf(1e6)
      // 0: dirty. What a series has in an hour is told by its version.
      const versions = new Map(Array.from({ length: 6 }, (_, index) => [span.fromHour + index, 1]))
      let last = 1
      const stored = (seriesId: number, hour: number): string => `${seriesId} ${hour} ${versions.get(hour)}`
      for (const { seriesId, hour, toHour, change } of steps) {
        if (change !== 'none') versions.set(hour, change === 'dirty' ? 0 : ++last)
        const clean = [...versions].filter(([, version]) => version > 0)
        cache.note(clean.map(([at, version]) => `${at} ${version}`).join(), span)
        const known = cache.known(span)
        const lacking = lackingHours(cache.get(seriesId), known)
        if (lacking !== undefined) {
          // As if it was asked for a little more, or less.
          const read = { fromHour: lacking.fromHour, toHour: Math.min(lacking.toHour, lacking.fromHour + toHour) }
          const hours = Array.from({ length: read.toHour - read.fromHour }, (_, index) => read.fromHour + index)
          const packed = Buffer.concat(hours.map((at) => block(at, stored(seriesId, at))))
          cache.put(seriesId, { span: read, known, packed })
        }
        const entry = cache.get(seriesId)
        for (const [at] of clean) {
          const isThere = lackingHours(entry, { ...cache.known({ fromHour: at, toHour: at + 1 }) }) === undefined
          if (isThere && entry !== undefined) assert.equal(textOf(entry, at), stored(seriesId, at))
        }
      }
    }),
  )
})

test('stays within its bytes, the least recently used series going first', () => {
  const seen = { bytes: 0 }
  const cache = cacheOf(20_000, seen)
  cache.note('1000 7', { fromHour: 1_000, toHour: 1_001 })
  const known = cache.known({ fromHour: 1_000, toHour: 1_001 })
  for (let seriesId = 0; seriesId < 100; seriesId++) {
    cache.put(seriesId, { span: known, known, packed: block(1_000, 'x'.repeat(1_000)) })
    cache.get(0)
    assert.ok(seen.bytes <= 20_000 && seen.bytes > 0)
  }
  assert.notEqual(cache.get(0), undefined)
  assert.equal(cache.get(50), undefined)
  assert.notEqual(cache.get(99), undefined)
})

test('forgets everything when Postgres was started anew', () => {
  const seen = { bytes: 0 }
  const cache = cacheOf(20_000, seen)
  assert.equal(cache.enter('a'), false)
  cache.note('1000 7', { fromHour: 1_000, toHour: 1_001 })
  const known = cache.known({ fromHour: 1_000, toHour: 1_001 })
  cache.put(1, { span: known, known, packed: block(1_000, 'x') })
  assert.equal(cache.enter('a'), false)
  assert.notEqual(cache.get(1), undefined)
  assert.equal(cache.enter('b'), true)
  assert.equal(cache.get(1), undefined)
  assert.equal(seen.bytes, 0)
})
