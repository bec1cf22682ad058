/** Windows lie on their step and stay under the point limit; the URL says all and survives nonsense. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import {
  hourMs,
  mendedSearch,
  minuteMs,
  neighbour,
  pointsMax,
  ranges,
  readView,
  resetZoom,
  shift,
  stepFor,
  stepText,
  type View,
  windowOf,
  writeView,
  zoom,
} from './time-range.ts'

const instantMs = fc.integer({ min: 1_600_000_000_000, max: 1_900_000_000_000 })
const rangeName = fc.constantFrom(...ranges.map(({ name }) => name))
const view: fc.Arbitrary<View> = fc.oneof(
  rangeName.map((range) => ({ kind: 'last' as const, range })),
  fc
    .tuple(rangeName, instantMs, fc.integer({ min: 1, max: 400 * 86_400_000 }))
    .map(([range, fromMs, lengthMs]) => ({ kind: 'between' as const, range, fromMs, toMs: fromMs + lengthMs })),
)

test('every window lies on its step, holds what was asked for and is not too long', () => {
  fc.assert(
    fc.property(view, instantMs, fc.constantFrom(minuteMs, hourMs), (asked, nowMs, stepMsMin) => {
      const { fromMs, toMs, stepMs } = windowOf(asked, nowMs, stepMsMin)
      assert.equal(stepMs % stepMsMin, 0)
      assert.equal(fromMs % stepMs, 0)
      assert.equal(toMs % stepMs, 0)
      assert.ok((toMs - fromMs) / stepMs <= pointsMax + 1)
      if (asked.kind === 'between') assert.ok(fromMs <= asked.fromMs && toMs >= asked.toMs)
      else assert.ok(nowMs < toMs && nowMs >= toMs - stepMs)
    }),
  )
})

test('a view survives the URL, and other parameters survive a view', () => {
  fc.assert(
    fc.property(view, (asked) => {
      const search = writeView('?filter=cpu+user', asked)
      assert.deepEqual(readView(search), asked)
      assert.equal(new URLSearchParams(search).get('filter'), 'cpu user')
    }),
  )
})

test('an unreadable URL means the default', () => {
  for (const search of ['', '?range=9y', '?from=5&to=5', '?from=abc&to=7', '?from=9&to=3', '?from=1e999&to=2'])
    assert.deepEqual(readView(search), { kind: 'last', range: '1h' }, search)
  assert.deepEqual(readView('?range=6h&from=2026-01-01T00:00:00Z&to=2026-01-01T01:00:00Z'), {
    kind: 'between',
    range: '6h',
    fromMs: Date.parse('2026-01-01T00:00:00Z'),
    toMs: Date.parse('2026-01-01T01:00:00Z'),
  })
})

test('an unreadable address is replaced by what is shown, a readable one is left alone', () => {
  assert.equal(mendedSearch('?range=99x&filter=cpu'), 'range=1h&filter=cpu')
  assert.equal(mendedSearch('?range=3h&from=9&to=3'), 'range=3h')
  assert.equal(mendedSearch('?from=9'), 'range=1h')
  for (const search of ['', '?filter=cpu', '?range=6h', '?from=2026-01-01T00:00:00Z&to=2026-01-01T01:00:00Z'])
    assert.equal(mendedSearch(search), undefined, search)
  fc.assert(
    fc.property(view, (asked) => {
      assert.equal(mendedSearch(writeView('?filter=x', asked)), undefined)
    }),
  )
})

test('up to 12 h are read minute by minute, 2 d in steps of 4 minutes, 90 d in steps of 3 hours', () => {
  const stepsMin = (stepMsMin: number) => ranges.map(({ lengthMs }) => stepFor(lengthMs, stepMsMin) / minuteMs)
  assert.deepEqual(stepsMin(minuteMs), [1, 1, 1, 1, 1, 2, 4, 15, 60, 180, 1440])
  // Where only hours are kept.
  assert.deepEqual(stepsMin(hourMs), [60, 60, 60, 60, 60, 60, 60, 60, 60, 180, 1440])
  assert.deepEqual([minuteMs, 15 * minuteMs, 3 * hourMs, 24 * hourMs].map(stepText), ['1 min', '15 min', '3 h', '1 d'])
})

test('a shift keeps the length, goes back as it came, and ends with now', () => {
  const nowMs = 1_764_028_800_000
  const last: View = { kind: 'last', range: '1h' }
  const earlier = shift(last, -1, nowMs)
  assert.deepEqual(earlier, {
    kind: 'between',
    range: '1h',
    fromMs: nowMs - 90 * minuteMs,
    toMs: nowMs - 30 * minuteMs,
  })
  assert.deepEqual(shift(earlier, 1, nowMs), last)
  assert.deepEqual(shift(last, 1, nowMs), last)
  const zoomed: View = { kind: 'between', range: '1d', fromMs: nowMs - 10 * minuteMs, toMs: nowMs - minuteMs }
  assert.deepEqual(shift(zoomed, 1, nowMs), { ...zoomed, fromMs: nowMs - 9 * minuteMs, toMs: nowMs })
})

test('a zoom is whole minutes, at least five, whichever way one drags; a reset leads back', () => {
  const last: View = { kind: 'last', range: '3h' }
  const from = 1_764_028_800_000
  const zoomed = zoom(last, from + 90_000, from + 30_000)
  assert.deepEqual(zoomed, { kind: 'between', range: '3h', fromMs: from - minuteMs, toMs: from + 4 * minuteMs })
  assert.deepEqual(resetZoom(zoomed), last)
  fc.assert(
    fc.property(instantMs, instantMs, (a, b) => {
      const z = zoom(last, a, b)
      assert.ok(z.kind === 'between' && z.toMs - z.fromMs >= 5 * minuteMs)
      assert.ok(z.fromMs <= Math.min(a, b) && z.toMs >= Math.max(a, b))
    }),
  )
})

test('brackets step through the ranges and stop at the ends', () => {
  assert.equal(neighbour({ kind: 'last', range: '15m' }, -1).range, '15m')
  assert.equal(neighbour({ kind: 'last', range: '15m' }, 1).range, '1h')
  assert.equal(neighbour({ kind: 'last', range: '2d' }, 1).range, '7d')
  assert.equal(neighbour({ kind: 'last', range: '1y' }, 1).range, '1y')
})
