/** What a collector logs while it refuses new series: enough to act on, and not a line for each. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ActiveSeries, serverSeries } from './active-series.ts'
import { RefusedSeriesLog } from './refused-series-log.ts'

const startMs = 1_764_028_800_000
const config = { activeSeriesMax: 2, activeSeriesBytesMax: 1_000_000, newSeriesPerMinuteMax: 1000 }

function setUp() {
  const active = new ActiveSeries(config, startMs)
  const lines: { series: number; serverId: string; msg: string }[] = []
  const log = new RefusedSeriesLog({
    warn: (fields, msg) => void lines.push({ ...fields, msg }),
  })
  const request = (serverId: string, names: readonly string[], afterMs: number): void => {
    const nowMs = startMs + afterMs
    active.observe(nowMs)
    for (const metricId of names) active.admit(serverSeries(serverId, { metricId, labels: {} }))
    log.note(active.takeRefusals(), nowMs)
  }
  return { lines, request }
}

test('one line when series begin to be refused, then one a minute with how many and of which server first', () => {
  const { lines, request } = setUp()
  request('web-1', ['a', 'b'], 0)
  assert.equal(lines.length, 0)
  request('web-2', ['c', 'd', 'e'], 1000)
  const [begin] = lines
  assert.deepEqual([lines.length, begin?.series, begin?.serverId], [1, 3, 'web-2'])
  assert.match(
    begin?.msg ?? '',
    /^new series are refused \(series-limit\): 3 times, first of server web-2: 2 series are active, .*MINUTELY_ACTIVE_SERIES_MAX$/,
  )
  for (let afterMs = 2000; afterMs < 61_000; afterMs += 1000) {
    request('web-1', ['a', 'b'], afterMs)
    request('web-3', ['c'], afterMs)
  }
  assert.equal(lines.length, 1)
  request('web-2', ['c'], 61_000)
  assert.deepEqual([lines.length, lines[1]?.series, lines[1]?.serverId], [2, 60, 'web-3'])
})

test('after a minute without a refusal it is another episode, which begins at once and with its own count', () => {
  const { lines, request } = setUp()
  request('web-1', ['a', 'b', 'c'], 0)
  request('web-1', ['c', 'd'], 1000)
  request('web-1', ['a', 'b'], 30_000)
  request('web-2', ['e'], 61_001)
  assert.deepEqual(
    lines.map(({ series, serverId, msg }) => [series, serverId, msg.startsWith('new series are refused')]),
    [
      [1, 'web-1', true],
      [1, 'web-2', true],
    ],
  )
})

test('a clock that was set back does not silence it', () => {
  const { lines, request } = setUp()
  request('web-1', ['a', 'b', 'c'], 3_600_000)
  request('web-1', ['c'], 0)
  assert.equal(lines.length, 2)
})
