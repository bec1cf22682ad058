/** Rows of the fleet: values join their servers, no value is not zero, sorting and filtering. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { LatestAnswer } from '@minutely/schema/query-wire'
import { inOrder, matchesRow, rowsOf, silenceReference, sortRows } from './fleet-rows.ts'

const nowMs = 1_764_028_800_000
const server = (serverId: string, agoMs = 20_000) => ({
  serverId,
  firstSeenMs: 0,
  lastSeenMs: nowMs - agoMs,
  seriesCount: 1,
})
const latest: LatestAnswer = {
  completeThroughMs: nowMs,
  startMs: nowMs - 60_000,
  endMs: nowMs,
  servers: ['web-1', 'web-10'],
  groups: ['eu', null],
  series: [
    { metricId: 'm', labels: {}, unit: 'ratio', minutesBack: [0, 0], avg: [0, 0.75], min: [0, 0.5], max: [0.2, 0.9] },
  ],
}
const reading = { aggregation: 'avg', isRest: false } as const
const rows = rowsOf(inOrder([server('web-10'), server('web-2', 600_000), server('web-1')]), latest, {
  reading,
  referenceMs: nowMs,
})

test('servers are in natural order, each with its value; no value is no zero', () => {
  assert.deepEqual(
    rows.map(({ server: { serverId }, value, group, isSilent }) => [serverId, value, group, isSilent]),
    [
      ['web-1', 0, 'eu', false],
      ['web-2', null, null, true],
      ['web-10', 0.75, null, false],
    ],
  )
})

test('the most of what is busy is 1 - the least that is idle', () => {
  const most = rowsOf([server('web-10')], latest, { reading: { aggregation: 'max', isRest: true }, referenceMs: nowMs })
  assert.equal(most[0]?.value, 0.5)
})

test('without an answer nobody has a value', () => {
  assert.deepEqual(
    rowsOf([server('a')], undefined, { reading, referenceMs: nowMs }).map(({ value }) => value),
    [null],
  )
})

test('those without a value come last, whichever way', () => {
  const ids = (isDescending: boolean) =>
    sortRows(rows, { column: 'value', isDescending }).map(({ server: { serverId } }) => serverId)
  assert.deepEqual(ids(true), ['web-10', 'web-1', 'web-2'])
  assert.deepEqual(ids(false), ['web-1', 'web-10', 'web-2'])
  assert.equal(sortRows(rows, { column: 'seen', isDescending: false })[0]?.server.serverId, 'web-2')
  assert.equal(sortRows(rows, { column: 'name', isDescending: true })[0]?.server.serverId, 'web-10')
})

test('a filter is words of the name and the group', () => {
  const found = (query: string, isSilentOnly = false) =>
    rows.filter((row) => matchesRow(row, { query, isSilentOnly })).map(({ server: { serverId } }) => serverId)
  assert.deepEqual(found('WEB 1'), ['web-1', 'web-10'])
  assert.deepEqual(found('eu'), ['web-1'])
  assert.deepEqual(found('', true), ['web-2'])
})

test('while Minutely is behind nobody is silent because of that', () => {
  assert.equal(silenceReference(nowMs, nowMs - 600_000), nowMs - 510_000)
  assert.equal(silenceReference(nowMs, nowMs - 5_000), nowMs)
  assert.equal(silenceReference(nowMs, 0), nowMs)
})
