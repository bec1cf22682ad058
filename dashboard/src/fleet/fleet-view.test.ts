/** The address of the fleet page: what is written is read again, what is unreadable means the default. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type FleetView, readFleetView, writeFleetView } from './fleet-view.ts'

test('an empty address is CPU busy of everybody, by name', () => {
  assert.deepEqual(readFleetView(''), {
    metricId: undefined,
    aggregation: 'avg',
    labels: [],
    groupBy: undefined,
    query: '',
    isSilentOnly: false,
    sort: { column: 'name', isDescending: false },
    domain: undefined,
    zoom: undefined,
  })
})

test('what is written is read again, and what others put there stays', () => {
  const view: FleetView = {
    metricId: 'system.memory.usage',
    aggregation: 'max',
    labels: ['system.memory.state:used', 'a:b:c'],
    groupBy: 'region',
    query: 'web 1',
    isSilentOnly: true,
    sort: { column: 'value', isDescending: true },
    domain: { low: -0.5, high: 12 },
    zoom: { factor: 6.5, serverId: 'web~17' },
  }
  const search = writeFleetView('other=1', view)
  assert.deepEqual(readFleetView(search), view)
  assert.equal(new URLSearchParams(search).get('other'), '1')
  const { metricId, groupBy, domain, zoom } = readFleetView('')
  const defaults: Partial<FleetView> = { ...readFleetView(''), metricId, groupBy, domain, zoom }
  assert.equal(
    writeFleetView(search, { ...defaults, sort: { column: 'name', isDescending: false } }),
    'other=1&sort=name%3Aasc',
  )
})

test('what makes no sense means the default', () => {
  const nonsense = 'agg=median&label=x&sort=height:up&scale=3~1&zoom=0~a&show=some&metric='
  assert.deepEqual(readFleetView(nonsense), readFleetView(''))
  for (const scale of ['1', '1~', '~1', '1~2~3', 'a~b', '1~Infinity']) {
    assert.equal(readFleetView(`scale=${scale}`).domain, undefined, scale)
  }
})

test('silent servers come by when they were last seen, unless one sorts them otherwise', () => {
  assert.deepEqual(readFleetView('show=silent').sort, { column: 'seen', isDescending: true })
  assert.deepEqual(readFleetView('show=silent&sort=name:asc').sort, { column: 'name', isDescending: false })
  assert.equal(writeFleetView('sort=value:desc', { isSilentOnly: true }), 'show=silent')
})
