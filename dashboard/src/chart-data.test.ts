/** Nothing is drawn twice, moved or invented on the way from columns to lines. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { chartData, lonely, split } from './chart-data.ts'
import { axisRange, colorsOf, isQuiet, labelsText, linesOf, namesOf, pickerRows, sharedLabels } from './chart-lines.ts'
import { type Column, type RangeColumns, seriesKey } from './range-columns.ts'
import { minuteMs } from './time-range.ts'

const slots = fc.array(fc.option(fc.integer(), { nil: null }), { maxLength: 30 })

function column(metricId: string, labels: Record<string, string>, avg: (number | null)[]): Column {
  return { key: seriesKey({ metricId, labels }), metricId, labels, min: avg, max: avg, avg, sum: avg, count: avg }
}

function rangeOf(columns: Column[], length: number, completeSlots: number): RangeColumns {
  const endMs = length * minuteMs
  return {
    startMs: 0,
    endMs,
    stepMs: minuteMs,
    completeThroughMs: completeSlots * minuteMs,
    columns,
    tailStartMs: endMs,
    tail: new Map(),
  }
}

test('final and provisional lines together are the column, sharing at most the joint', () => {
  fc.assert(
    fc.property(slots, fc.nat(32), (values, open) => {
      const [final, provisional] = split(values, open)
      values.forEach((value, slot) => {
        assert.equal(slot < open ? final[slot] : provisional[slot], value)
        if (slot >= open) assert.equal(final[slot], null)
        if (slot < open - 1) assert.equal(provisional[slot], null)
      })
    }),
  )
})

test('a dashed line never bridges a gap', () => {
  assert.deepEqual(split([1, 2, null, 4], 2)[1], [null, null, null, 4])
  assert.deepEqual(split([1, 2, 3, 4], 2)[1], [null, 2, 3, 4])
})

test('points are counted, and the newest one known', () => {
  const range = rangeOf([column('a', {}, [1, null, 3, null])], 4, 2)
  const data = chartData(range, linesOf(range, 'a').drawn)
  assert.equal(data.points, 2)
  assert.equal(data.lastSlotMs, 2 * minuteMs)
  assert.equal(data.provisionalFromMs, 2 * minuteMs)
  assert.equal(data.rows.length, 5, 'x, max, min, final, provisional')
  assert.equal(data.bandCount, 1)
})

test('points without neighbours are found', () => {
  assert.deepEqual(lonely([1, null, 3, 4, null, 5]), [0, 5])
  assert.deepEqual(lonely([]), [])
})

test('the eight highest are drawn, each named by what differs', () => {
  const columns = Array.from({ length: 11 }, (_, index) =>
    column('net', { host: 'a', direction: 'receive', interface: `eth${index}` }, [index, null]),
  )
  const { drawn, rest } = linesOf(rangeOf(columns, 2, 2), 'net')
  assert.deepEqual(
    drawn.map(({ name }) => name),
    ['eth3', 'eth4', 'eth5', 'eth6', 'eth7', 'eth8', 'eth9', 'eth10'],
  )
  assert.deepEqual(rest, ['eth2', 'eth1', 'eth0'])
  const two = [
    column('net', { direction: 'receive', interface: 'lo' }, []),
    column('net', { direction: 'transmit', interface: 'eth0' }, []),
  ]
  assert.deepEqual([...namesOf(two).values()], ['lo receive', 'eth0 transmit'])
  assert.deepEqual([...namesOf([column('net', {}, [])]).values()], ['value'])
})

test('what no name says because all lines have it is said once', () => {
  const orders = (currency: string) => column('orders', { shop: 'berlin', currency }, [1])
  const { shared } = linesOf(rangeOf([orders('eur'), orders('usd'), column('other', {}, [1])], 1, 1), 'orders')
  assert.equal(labelsText(shared), 'shop="berlin"')
  assert.equal(labelsText(sharedLabels([{ a: '1', b: '2' }])), 'a="1", b="2"')
  assert.deepEqual(sharedLabels([{ a: '1' }, {}]), {})
  assert.deepEqual(sharedLabels([]), {})
})

test('idle is quiet', () => {
  const range = rangeOf([column('cpu', { mode: 'idle' }, [1]), column('cpu', { mode: 'user' }, [1])], 1, 1)
  assert.deepEqual(linesOf(range, 'cpu').drawn.map(isQuiet), [true, false])
})

test('axes start at zero, hold the data and have a height', () => {
  fc.assert(
    fc.property(
      fc.double({ noNaN: true, min: -1e9, max: 1e9 }),
      fc.double({ noNaN: true, min: 0, max: 1e9 }),
      (low, height) => {
        const [min, max] = axisRange(low, low + height, 'number')
        assert.ok(min <= Math.min(0, low) && max >= low + height && max > min)
      },
    ),
  )
  assert.deepEqual(axisRange(null, null, 'ratio'), [0, 0.01])
  assert.equal(axisRange(0, 0.98, 'ratio')[1], 1)
})

test('familiar lines have their colours, and no two lines of a chart the same', () => {
  assert.deepEqual(colorsOf(['idle', 'system', 'user']), [7, 1, 0])
  assert.deepEqual(colorsOf(['eth0 receive', 'eth0 transmit', 'lo receive', 'lo transmit']), [0, 1, 2, 3])
  fc.assert(
    fc.property(
      fc.uniqueArray(fc.constantFrom('user', 'idle', 'a', 'b', 'c used', 'd used', 'read', 'x'), { maxLength: 8 }),
      (names) => {
        const colors = colorsOf(names)
        assert.equal(new Set(colors).size, names.length)
        assert.ok(colors.every((index) => index < 8))
      },
    ),
  )
})

test('a mount point is name enough when it tells the lines apart', () => {
  const disk = (device: string, mountpoint: string, state: string) =>
    column(
      'fs',
      { 'system.device': device, 'system.filesystem.mountpoint': mountpoint, 'system.filesystem.state': state },
      [],
    )
  const names = namesOf([disk('sda', '/', 'used'), disk('sda', '/', 'free'), disk('sdb', '/var', 'used')])
  assert.deepEqual([...names.values()], ['/ used', '/ free', '/var used'])
  assert.deepEqual([...namesOf([disk('sda', '/', 'used'), disk('sdb', '/', 'used')]).values()], ['sda', 'sdb'])
})

test('longer names take more rows, narrower cards too', () => {
  assert.equal(pickerRows(['cpu', 'io'], 560, 'ratio'), 1)
  assert.equal(pickerRows(Array(8).fill('eth0 transmit'), 560, 'bytesPerSecond'), 3)
  assert.ok(pickerRows(Array(20).fill('a'), 320, 'number') > pickerRows(Array(20).fill('a'), 560, 'number'))
})
