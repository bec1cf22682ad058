/** A server has its colour in every chart; the address holds what is compared. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Column, type RangeColumns, seriesKey } from '../range-columns.ts'
import { comparedMetrics } from './compare-data.ts'
import { globOffers, globsOf, readCompareView, serversMax, writeList } from './compare-view.ts'

function column(metricId: string, labels: Record<string, string>): Column {
  const slots = [1, null]
  return {
    key: seriesKey({ metricId, labels }),
    metricId,
    labels,
    min: slots,
    max: slots,
    avg: slots,
    sum: slots,
    count: slots,
  }
}

function rangeOf(...columns: Column[]): RangeColumns {
  return { startMs: 0, endMs: 120_000, stepMs: 60_000, completeThroughMs: 0, columns, tailStartMs: 0, tail: new Map() }
}

test('a chart for each metric and label set, a line and a colour for each server', () => {
  const servers = [
    { serverId: 'b', range: rangeOf(column('cpu', { mode: 'idle' }), column('cpu', { mode: 'user' })) },
    { serverId: 'c', range: rangeOf(column('cpu', { mode: 'user' }), column('app', {})) },
  ]
  const charts = comparedMetrics(servers, ['a', 'b', 'c'])
  const told = charts.map(({ metricId, labels, lines }) => [
    metricId,
    labels,
    lines.drawn.map(({ name, colorIndex }) => `${name} ${colorIndex}`),
  ])
  assert.deepEqual(told, [
    ['app', '', ['c 2']],
    ['cpu', 'mode="user"', ['b 1', 'c 2']],
    ['cpu', 'mode="idle"', ['b 1']],
  ])
})

test('an address survives, twice the same server is one, and more than there are colours are left out', () => {
  const params = new URLSearchParams('range=1h&by=server')
  writeList(params, 'server', ['a', 'b', 'a', ...Array.from({ length: 9 }, (_, index) => `s${index}`)])
  writeList(params, 'metric', ['cpu.*', ''])
  const view = readCompareView(params)
  assert.equal(view.serverIds.length, serversMax)
  assert.deepEqual(view.serverIds.slice(0, 3), ['a', 'b', 's0'])
  assert.deepEqual([view.globs, view.by], [['cpu.*'], 'server'])
  assert.equal(params.get('range'), '1h')
})

test('a word is looked for anywhere, a name or a glob is itself', () => {
  assert.deepEqual(globsOf([' disk ', 'system.cpu.*', 'load', 'uptime', ''], new Set(['uptime'])), [
    '*disk*',
    'system.cpu.*',
    '*load*',
    'uptime',
  ])
  assert.deepEqual(globOffers(['app.a', 'app.b', 'system.cpu.time', 'uptime']), [
    { glob: 'app.*', count: 2 },
    { glob: 'system.cpu.*', count: 1 },
    { glob: 'uptime', count: 1 },
  ])
})
