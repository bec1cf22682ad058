/**
 * Live minutes merged into a range give what reading the range again would give: for any minutes, step, order of arrival
 * and number of provisional repetitions.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { LiveMinute, SeriesAnswer } from '@minutely/schema/query-wire'
import fc from 'fast-check'
import {
  type Cell,
  cellAt,
  fold,
  fromAnswer,
  provisionalSlot,
  type RangeColumns,
  seriesKey,
  slide,
  tailStart,
  withMinute,
} from './range-columns.ts'
import { minuteMs, type Window } from './time-range.ts'

const origin = 1_764_028_800_000
const metricIds = new Set(['load'])

function answerOf(cells: ReadonlyMap<number, Cell>, window: Window, completeThroughMs = window.toMs): SeriesAnswer {
  const slots: (Cell | null)[] = []
  for (let at = window.fromMs; at < window.toMs; at += window.stepMs) {
    const parts: Cell[] = []
    for (let minute = at; minute < at + window.stepMs; minute += minuteMs) {
      const cell = cells.get(minute)
      if (cell !== undefined) parts.push(cell)
    }
    slots.push(parts.length === 0 ? null : fold(parts))
  }
  const pick = (field: keyof Cell) => slots.map((cell) => cell?.[field] ?? null)
  return {
    startMs: window.fromMs,
    endMs: window.toMs,
    stepMs: window.stepMs,
    completeThroughMs,
    provisionalFromMs: null,
    series: [
      {
        metricId: 'load',
        labels: { cpu: '0' },
        min: pick('min'),
        max: pick('max'),
        avg: pick('avg'),
        sum: pick('sum'),
        count: pick('count'),
      },
    ],
  }
}

function liveOf(minuteAtMs: number, cell: Cell, provisional: boolean): LiveMinute {
  return {
    serverId: 'a',
    minuteMs: minuteAtMs,
    provisional,
    completeThroughMs: provisional ? minuteAtMs : minuteAtMs + minuteMs,
    series: [
      { metricId: 'load', labels: { cpu: '0' }, ...cell },
      { metricId: 'other', labels: {}, ...cell },
    ],
  }
}

const cell: fc.Arbitrary<Cell> = fc
  .array(fc.integer({ min: -1000, max: 1000 }), { minLength: 1, maxLength: 60 })
  .map((values) => {
    const sum = values.reduce((a, b) => a + b, 0)
    return { min: Math.min(...values), max: Math.max(...values), avg: sum / values.length, sum, count: values.length }
  })

test('a range followed live equals the range read again, at every step', () => {
  const minutes = fc.array(fc.option(cell, { nil: null }), { minLength: 24, maxLength: 40 })
  fc.assert(
    fc.property(
      minutes,
      fc.constantFrom(1, 2, 4),
      fc.integer({ min: 12, max: 20 }),
      cell,
      (all, step, readAt, half) => {
        const stepMs = step * minuteMs
        const lengthMs = 12 * minuteMs
        const windowAt = (nowMs: number): Window => {
          const toMs = Math.floor(nowMs / stepMs) * stepMs + stepMs
          return { fromMs: toMs - lengthMs, toMs, stepMs }
        }
        const truth = new Map<number, Cell>()
        all.forEach((one, index) => {
          if (one !== null) truth.set(origin + index * minuteMs, one)
        })
        const upTo = (nowMs: number) => new Map([...truth].filter(([at]) => at < nowMs))

        const readMs = origin + readAt * minuteMs
        const first = windowAt(readMs)
        const tailWindow = { fromMs: tailStart(first), toMs: first.toMs, stepMs: minuteMs }
        const known = upTo(readMs)
        let range: RangeColumns = fromAnswer(
          answerOf(known, first, readMs),
          step === 1 ? undefined : answerOf(known, tailWindow, readMs),
        )
        for (let index = readAt; index < all.length; index++) {
          const at = origin + index * minuteMs
          range = slide(range, windowAt(at))
          const one = truth.get(at)
          if (one === undefined) continue
          range = withMinute(range, liveOf(at, half, true), metricIds)
          range = withMinute(range, liveOf(at, one, false), metricIds)
          range = withMinute(range, liveOf(at, half, true), metricIds) // Overtaken on the way; must not undo.
        }
        const last = windowAt(origin + (all.length - 1) * minuteMs)
        const again = fromAnswer(answerOf(truth, last))
        assert.deepEqual(range.columns, again.columns)
        assert.equal(range.startMs, again.startMs)
      },
    ),
  )
})

test('a provisional minute is replaced by the next one, not added to it', () => {
  const window = { fromMs: origin, toMs: origin + 4 * minuteMs, stepMs: 2 * minuteMs }
  const one: Cell = { min: 1, max: 3, avg: 2, sum: 4, count: 2 }
  const more: Cell = { min: 1, max: 9, avg: 5, sum: 15, count: 3 }
  let range = fromAnswer(
    answerOf(new Map(), window, origin),
    answerOf(new Map(), { ...window, stepMs: minuteMs }, origin),
  )
  range = withMinute(range, liveOf(origin, one, true), metricIds)
  range = withMinute(range, liveOf(origin, more, true), metricIds)
  assert.deepEqual(range.columns[0]?.count, [3, null])
  assert.equal(provisionalSlot(range), 0)
  range = withMinute(range, liveOf(origin, more, false), metricIds)
  assert.equal(provisionalSlot(range), 0, 'half of the step is still open')
  range = withMinute(range, liveOf(origin + minuteMs, one, false), metricIds)
  assert.equal(provisionalSlot(range), 1)
  assert.deepEqual(range.columns[0] && cellAt(range.columns[0], 0), { min: 1, max: 9, avg: 19 / 5, sum: 19, count: 5 })
})

test('a series that appears gets a column with a gap before it; other metrics are left alone', () => {
  const window = { fromMs: origin, toMs: origin + 2 * minuteMs, stepMs: minuteMs }
  const empty: SeriesAnswer = { ...answerOf(new Map(), window, origin), series: [] }
  const one: Cell = { min: 1, max: 1, avg: 1, sum: 1, count: 1 }
  const range = withMinute(fromAnswer(empty), liveOf(origin + minuteMs, one, true), metricIds)
  assert.deepEqual(
    range.columns.map(({ key, avg }) => [key, avg]),
    [[seriesKey({ metricId: 'load', labels: { cpu: '0' } }), [null, 1]]],
  )
})

test('minutes outside the window change nothing but how far it is complete', () => {
  const window = { fromMs: origin, toMs: origin + 2 * minuteMs, stepMs: minuteMs }
  const range = fromAnswer(answerOf(new Map(), window, origin))
  const one: Cell = { min: 1, max: 1, avg: 1, sum: 1, count: 1 }
  const later = withMinute(range, liveOf(origin + 9 * minuteMs, one, false), metricIds)
  assert.equal(later.columns, range.columns)
  assert.equal(provisionalSlot(later), 2)
  assert.equal(withMinute(range, liveOf(origin - minuteMs, one, true), metricIds), range)
})
