/** What the wall shows for what the address says. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { captionOf, colouringOf, fallbackOf } from './colourings.ts'
import { readFleetView } from './fleet-view.ts'

test('without a metric it is CPU busy: what is left over by the share that is idle', () => {
  const colouring = colouringOf(readFleetView('agg=max'))
  assert.deepEqual(colouring, {
    title: 'CPU busy',
    metricId: 'system.cpu.utilization',
    labels: ['cpu.mode:idle'],
    reading: { aggregation: 'max', isRest: true },
  })
  assert.equal(captionOf(colouring), 'CPU busy')
  // A sum of shares that are left over is nobody's share.
  assert.equal(colouringOf(readFleetView('agg=sum')).reading.aggregation, 'avg')
})

test('a metric is itself, with the labels that were chosen', () => {
  const colouring = colouringOf(readFleetView('metric=disk.io&label=device:sda&label=direction:read&agg=sum'))
  assert.deepEqual(colouring.reading, { aggregation: 'sum', isRest: false })
  assert.equal(captionOf(colouring), 'disk.io sda read')
})

test('where nobody sends CPU, memory or load comes before whatever there is', () => {
  const list = (...ids: string[]) => ({
    completeThroughMs: 0,
    nextCursor: null,
    metrics: ids.map((metricId) => ({
      ...{ metricId, unit: 'number' as const, serverCount: 1, seriesCount: 1 },
      ...{ firstSeenMs: 0, lastSeenMs: 0 },
    })),
  })
  assert.equal(fallbackOf(list('a', 'system.cpu.load_average.1m')), 'system.cpu.load_average.1m')
  assert.equal(fallbackOf(list('b', 'c')), 'b')
  assert.equal(fallbackOf(list()), undefined)
})
