/** A closed minute is what the next answer would say; nothing is made up for servers that it does not name. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { LiveMetricMinute } from '@minutely/schema/live-wire'
import type { MetricSeriesAnswer, MetricSummaryAnswer } from '@minutely/schema/query-wire'
import { minuteMs } from '../time-range.ts'
import { foldMinute, type MinuteContext, withRead } from './metric-minutes.ts'
import { metricData } from './metric-query.ts'

const startMs = 1_764_028_800_000
const at = (minute: number): number => startMs + minute * minuteMs
const slots = (value: number | null) => [value, value, null, null]
const all = (value: number | null) => {
  const column = slots(value)
  return { min: column, max: column, avg: column, sum: column, count: column }
}

/** Two closed minutes of four, servers a and b. */
function dataOf(stepMs = minuteMs) {
  const common = {
    startMs,
    endMs: startMs + 4 * stepMs,
    stepMs,
    completeThroughMs: startMs + 2 * stepMs,
    provisionalFromMs: null,
  }
  const summary: MetricSummaryAnswer = {
    ...common,
    metricId: 'm',
    unit: 'number',
    by: 'avg',
    per: 'server',
    matchedSeriesCount: 3,
    matchedServerCount: 3,
    samples: all(2),
    across: all(2),
    quantiles: [{ quantile: 0.5, values: slots(2) }],
  }
  const ranking: MetricSeriesAnswer = {
    ...common,
    matchedSeriesCount: 3,
    series: ['a', 'b'].map((serverId) => ({ serverId, metricId: 'm', labels: { k: 'v' }, ...all(1) })),
  }
  return metricData(summary, ranking)
}

function minuteOf(minute: number, more: Partial<LiveMetricMinute> = {}): LiveMetricMinute {
  const statistics = { min: 5, max: 5, avg: 5, sum: 15, count: 3 }
  return {
    metricId: 'm',
    unit: 'number',
    minuteMs: at(minute),
    completeThroughMs: at(minute + 1),
    by: 'avg',
    per: 'server',
    matchedSeriesCount: 3,
    matchedServerCount: 3,
    samples: statistics,
    across: statistics,
    quantiles: [{ quantile: 0.5, value: 5 }],
    order: 'top',
    ranking: [{ serverId: 'a', value: 7 }],
    ...more,
  }
}

const context = (minute: number, rankedMax = 1): MinuteContext => {
  return { window: { fromMs: at(minute - 4), toMs: at(minute), stepMs: minuteMs }, by: 'avg', rankedMax }
}

test('the next minute is folded in, and the range moves on', () => {
  const verdict = foldMinute(dataOf(), minuteOf(2), context(5))
  assert.ok(verdict.kind === 'folded')
  const { data, missing } = verdict
  assert.equal(data.startMs, at(1))
  assert.equal(data.completeThroughMs, at(3))
  assert.deepEqual(data.summary.quantiles[0]?.values, [2, 5, null, null])
  assert.deepEqual(data.summary.across.count, [2, 3, null, null])
  assert.deepEqual(
    data.ranked.map(({ avg }) => avg),
    [
      [1, 7, null, null],
      [1, null, null, null],
    ],
  )
  assert.deepEqual(
    missing.map(({ serverId }) => serverId),
    ['b'],
    'the event names one server, so another may have a value as well',
  )
})

test('a server that is not among all of them has no value', () => {
  const verdict = foldMinute(dataOf(), minuteOf(2), context(4, 100))
  assert.ok(verdict.kind === 'folded')
  assert.deepEqual(verdict.missing, [])
})

test("a server's value says nothing of one of its several series", () => {
  const several = minuteOf(2, { matchedSeriesCount: 9 })
  const verdict = foldMinute(dataOf(), several, context(4, 100))
  assert.ok(verdict.kind === 'folded')
  assert.equal(verdict.missing.length, 2)
  assert.equal(verdict.data.ranked[0]?.avg[2], null)
  const ranking = [{ serverId: 'b', labels: { k: 'v' }, value: 8 }]
  const perSeries = foldMinute(dataOf(), { ...several, per: 'series', ranking }, context(4, 100))
  assert.ok(perSeries.kind === 'folded')
  assert.equal(perSeries.data.ranked[1]?.avg[2], 8)
})

test('what is known stays, what was missed is read again', () => {
  assert.equal(foldMinute(dataOf(), minuteOf(1), context(4)).kind, 'known')
  assert.equal(foldMinute(dataOf(), minuteOf(9), context(4)).kind, 'known', 'outside of the range')
  assert.equal(foldMinute(dataOf(), minuteOf(3), context(4)).kind, 'behind')
  const hours = dataOf(60 * minuteMs)
  const window = { fromMs: hours.startMs, toMs: hours.endMs, stepMs: hours.stepMs }
  const inHours = (minute: number) => foldMinute(hours, minuteOf(minute), { window, by: 'avg', rankedMax: 1 }).kind
  assert.deepEqual([150, 179].map(inHours), ['known', 'behind'], 'an hour is read when it is over')
})

test('what was read of one server is its own', () => {
  const data = dataOf()
  const column = { key: 'x', metricId: 'm', labels: { k: 'v' }, min: [3], max: [3], avg: [3], sum: [3], count: [1] }
  const range = {
    startMs: at(2),
    endMs: at(3),
    stepMs: minuteMs,
    completeThroughMs: at(3),
    columns: [column],
    tailStartMs: at(3),
    tail: new Map(),
  }
  const after = withRead(data, new Map([[data.ranked[1]?.key ?? '', range]]))
  assert.deepEqual(
    after.ranked.map(({ avg }) => avg[2]),
    [null, 3],
  )
})
