import assert from 'node:assert/strict'
import { test } from 'node:test'
import { judgeSustained, type Look, type SustainOutcome } from './sustain-verdict.ts'

const limits = { samplesPerS: 1_000_000, p99Ms: 250, windowBytes: 500e6, residentBytes: 1_000e6 }
const steady: readonly Look[] = Array.from({ length: 60 }, (_, index) => ({
  atS: index * 10,
  acceptedSamples: index * 10_000_000,
  senderBehindS: 0,
  // A sawtooth, with one pause.
  readerBehindS: index === 58 ? 20 : (index % 3) / 2,
  p50Ms: 80,
  p99Ms: 200,
  residentBytes: 600e6,
  windowBytes: 100e6,
}))
const kept: SustainOutcome = { looks: steady, wallS: 601, samples: 600_000_000, p99Ms: 240, peakBytes: 900e6 }

/** The names of what is broken. */
function broken(change: Partial<SustainOutcome>): string[] {
  return judgeSustained({ ...kept, ...change }, limits).flatMap(({ name, isKept }) => (isKept ? [] : [name]))
}

function withLooks(change: (look: Look) => Partial<Look>): Partial<SustainOutcome> {
  return { looks: steady.map((look) => ({ ...look, ...change(look) })) }
}

test('what keeps up is kept, one pause included', () => {
  assert.deepEqual(broken({}), [])
})

test('each limit is one that can break', () => {
  assert.deepEqual(broken({ wallS: 610 }), ['at least 99 % of 1000 k samples/s'])
  assert.deepEqual(broken({ p99Ms: 251 }), ['p99 of the POST at most 250 ms'])
  assert.deepEqual(broken({ peakBytes: 1_001e6 }), ['Node within 1000 MB, all its bounds together'])
  assert.deepEqual(broken(withLooks(() => ({ windowBytes: 501e6 }))), ['open minutes within 500 MB'])
})

test('a backlog that grows slowly is found, wherever it is', () => {
  const growing = (look: Look): number => look.atS / 200
  assert.deepEqual(broken(withLooks((look) => ({ senderBehindS: growing(look) }))), [
    'the sender falls behind no further',
  ])
  assert.deepEqual(broken(withLooks((look) => ({ readerBehindS: growing(look) }))), [
    'the reader falls behind no further',
  ])
})

test('nothing was looked at is not kept up', () => {
  assert.deepEqual(broken({ looks: [] }), ['the sender falls behind no further', 'the reader falls behind no further'])
})
