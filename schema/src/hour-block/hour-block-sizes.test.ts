/**
 * What hour blocks take, in bytes for each series and minute: upper bounds, a little above what was measured when they were written. Sizes
 * depend on the encoder alone; when it gets better, bounds are lowered. Database rows come on top.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { HourBlockEncoder } from './encode-hour-block.ts'
import { createMinuteColumns, minutesPerHour } from './minute-columns.ts'
import { allKinds, fleetMix, hourOf, mixed } from './test-hours.ts'

const seeds = 50
const encoder = new HourBlockEncoder()

const bytesMax: Readonly<Record<string, number>> = {
  constant: 0.14,
  rate: 3.97,
  gauge: 3.03,
  memory: 2.9,
  sparse: 0.8,
  uptime: 0.19,
  share: 4.66,
  spikes: 2.85,
  bytesPerS: 8.9,
  wave: 3.83,
  constantFloat: 0.46,
  float: 20.8,
  floatOf32Bits: 11.8,
}

function bytesOf(name: string): number {
  const kind = allKinds[name] ?? assert.fail(name)
  let bytes = 0
  for (let seed = 0; seed < seeds; seed++) bytes += encoder.encode(hourOf(kind, seed), 0).length
  return bytes / (seeds * minutesPerHour)
}

for (const name of Object.keys(allKinds)) {
  test(`${name}: at most ${bytesMax[name]} bytes for each series and minute`, () => {
    const bytes = bytesOf(name)
    assert.ok(bytes <= (bytesMax[name] ?? 0), `it takes ${bytes.toFixed(3)}`)
  })
}

test('equal parts of what hosts have: at most 2.17 bytes for each series and minute', () => {
  const names = Object.keys(fleetMix)
  const bytes = names.reduce((sum, name) => sum + bytesOf(name), 0) / names.length
  assert.ok(bytes <= 2.17, `it takes ${bytes.toFixed(3)}`)
})

test('the worst there is fits: random doubles at random seconds of each minute', () => {
  const hour = createMinuteColumns(minutesPerHour)
  const view = new DataView(new ArrayBuffer(8))
  for (let minute = 0; minute < minutesPerHour; minute++) {
    hour.seenLow[minute] = mixed(minute) >>> 2
    hour.seenHigh[minute] = mixed(minute + 100) >>> 2
    for (const [index, column] of [hour.min, hour.max, hour.sum].entries()) {
      view.setUint32(0, mixed(minute * 6 + index * 2) & 0x9fffffff)
      view.setUint32(4, mixed(minute * 6 + index * 2 + 1))
      column[minute] = view.getFloat64(0)
    }
  }
  const { length } = encoder.encode(hour, 0)
  assert.ok(length > 1_800 && length < 2_048, `it takes ${length} bytes`)
})
