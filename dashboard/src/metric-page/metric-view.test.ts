/** The address says what is shown, labels are sent as they are meant, and colours stay where they were. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { facetsOf, labelFilters, labelsByDefault, readMetricView, writeLabels } from './metric-view.ts'
import { stickyColors } from './sticky-colors.ts'

test('an address is read, nonsense means the default', () => {
  const view = readMetricView(
    new URLSearchParams('by=max&order=bottom&n=20&label=cpu.mode:user&label=a:b:c&per=series'),
  )
  const labels = new Map([
    ['cpu.mode', 'user'],
    ['a', 'b:c'],
  ])
  assert.deepEqual(view, { by: 'max', order: 'bottom', n: 20, labels, per: 'series' })
  const plain = { by: 'avg', order: 'top', n: 10, labels: undefined, per: 'server' }
  assert.deepEqual(readMetricView(new URLSearchParams('by=p99&order=up&n=7&per=x')), plain)
})

test('all labels is something else than none said', () => {
  const params = new URLSearchParams('label=a:b&range=1h')
  writeLabels(params, new Map())
  assert.equal(params.toString(), 'range=1h&label=')
  assert.deepEqual(readMetricView(params).labels, new Map())
  writeLabels(params, new Map([['c', 'd']]))
  assert.deepEqual(readMetricView(params).labels, new Map([['c', 'd']]))
})

test('what differs can be chosen, and what people look at first is', () => {
  const sets = [
    { 'cpu.mode': 'user', host: 'a' },
    { 'cpu.mode': 'idle', host: 'a' },
    { 'cpu.mode': 'system', host: 'a' },
  ]
  const facets = facetsOf(sets, new Map([['rack', 'r1']]))
  assert.deepEqual(facets, [
    { name: 'cpu.mode', values: ['idle', 'system', 'user'] },
    { name: 'rack', values: ['r1'] },
  ])
  assert.deepEqual(labelsByDefault(facets), new Map([['cpu.mode', 'user']]))
  assert.deepEqual(labelsByDefault([{ name: 'device', values: ['read', 'write'] }]), new Map())
})

test('a value means itself', () => {
  assert.deepEqual(labelFilters(new Map([['path', '!a*\\b']])), ['path:\\!a\\*\\\\b'])
})

test('colours stay, new ones take what is free, later ranks have none', () => {
  const first = stickyColors(new Map(), ['a', 'b', 'c', 'd'], [1, 2, 3])
  assert.deepEqual(
    [...first],
    [
      ['a', 1],
      ['b', 2],
      ['c', 3],
    ],
  )
  const next = stickyColors(first, ['e', 'c', 'a', 'b'], [1, 2, 3])
  assert.deepEqual(
    next,
    new Map([
      ['c', 3],
      ['a', 1],
      ['e', 2],
    ]),
  )
})
