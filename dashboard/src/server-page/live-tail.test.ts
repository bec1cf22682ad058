/** Parts of minutes from several partitions, in any order, into ranges that were read at any time. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { LiveMinute, SeriesAnswer } from '@minutely/schema/query-wire'
import { noCorrections } from '../corrections.ts'
import { fromAnswer, provisionalSlot } from '../range-columns.ts'
import { minuteMs, windowOf } from '../time-range.ts'
import { LiveTail, type SeriesData } from './live-tail.ts'

const fromMs = 1_764_028_800_000
const at = (minute: number): number => fromMs + minute * minuteMs
/** It does not follow the clock. */
const view: SeriesData['view'] = { kind: 'between', range: '1h', fromMs, toMs: at(4) }
const window = windowOf(view, at(4))

function dataAt(completeThroughMs: number): SeriesData {
  const answer: SeriesAnswer = {
    startMs: window.fromMs,
    endMs: window.toMs,
    stepMs: window.stepMs,
    completeThroughMs,
    provisionalFromMs: null,
    series: [],
  }
  return { view, metricIds: new Set(['a', 'b']), range: fromAnswer(answer), corrections: noCorrections }
}

function part(minute: number, values: Record<string, number>, more: Partial<LiveMinute>): LiveMinute {
  const series = Object.entries(values).map(([metricId, value]) => {
    return { metricId, labels: {}, min: value, max: value, avg: value, sum: value, count: 1 }
  })
  return { serverId: 's', minuteMs: at(minute), provisional: true, completeThroughMs: at(1), series, ...more }
}

/** Minute 1 of each series, and how many of the four minutes are final. */
function shown({ range }: SeriesData) {
  return [Object.fromEntries(range.columns.map(({ metricId, avg }) => [metricId, avg[1]])), provisionalSlot(range)]
}

function feed(tail: LiveTail, minutes: readonly LiveMinute[], before: SeriesData): SeriesData {
  return minutes.reduce((data, minute) => tail.merge(data, tail.remember(minute)), before)
}

const closed = { provisional: false }

test('a closed part of one partition makes nothing of another final', () => {
  const data = feed(new LiveTail(), [part(1, { a: 1 }, closed), part(1, { b: 2 }, {})], dataAt(at(1)))
  assert.deepEqual(shown(data), [{ a: 1, b: 2 }, 1])
  assert.deepEqual(shown(feed(new LiveTail(), [part(1, { b: 3 }, { ...closed, completeThroughMs: at(2) })], data)), [
    { a: 1, b: 3 },
    2,
  ])
})

test('a provisional part neither undoes a closed one nor takes the place of another partition', () => {
  const minutes = [part(1, { a: 1 }, {}), part(1, { b: 2 }, {}), part(1, { a: 4 }, closed), part(1, { a: 3, b: 5 }, {})]
  const expected = [{ a: 4, b: 5 }, 1]
  const tail = new LiveTail()
  assert.deepEqual(shown(feed(tail, minutes, dataAt(at(1)))), expected)
  assert.deepEqual(shown(tail.replay(dataAt(at(1)))), expected, 'an answer that was under way gets the same')
  // An answer that knows more is not set back by what is still open here.
  assert.deepEqual(shown(tail.replay(dataAt(at(2)))), [{ a: 4 }, 2])
})

test('a range that was read before the stream began is not called more complete, and is behind', () => {
  const tail = new LiveTail()
  tail.start(at(2))
  const minutes = [
    part(1, { a: 1 }, { completeThroughMs: at(2) }),
    part(2, { a: 2 }, { ...closed, completeThroughMs: at(3) }),
  ]
  const data = tail.advance(feed(tail, minutes, dataAt(at(1))), at(3))
  assert.ok(tail.isBehind(data))
  assert.equal(provisionalSlot(data.range), 1)
  const again = tail.replay(dataAt(at(2)))
  assert.ok(!tail.isBehind(again))
  assert.equal(provisionalSlot(again.range), 3)
  assert.equal(provisionalSlot(tail.advance(again, at(4)).range), 4)
})

test('a final minute that comes again with other values is a late correction, one that comes again as it was is not', () => {
  const tail = new LiveTail()
  const through = { provisional: false, completeThroughMs: at(3) }
  const data = feed(tail, [part(1, { a: 1 }, closed), part(2, { a: 2 }, through)], dataAt(at(1)))
  assert.equal(feed(tail, [part(1, { a: 1 }, through)], data).corrections.size, 0)
  const corrected = feed(tail, [part(1, { a: 9 }, through)], data)
  assert.deepEqual([...(corrected.corrections.get('a') ?? [])], [at(1)])
})
