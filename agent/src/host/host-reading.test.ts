/** Samples by the catalogue: rounding, shares, label values within the contract, stable identities. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { controlCharacterPattern, labelValueBytesMax } from '@minutely/schema/limits'
import fc from 'fast-check'
import { HostReading, labelValue, rounded } from './host-reading.ts'

describe('HostReading', () => {
  it('hands out the same series object in every reading', () => {
    const reading = new HostReading({ elapsedMsMax: 5000 })
    reading.begin(0)
    reading.level('system.memory.limit', [], 1)
    const [first] = reading.samples
    reading.begin(1000)
    reading.level('system.memory.limit', [], 2)
    assert.equal(reading.samples[0]?.series, first?.series)
  })

  it('divides a whole into shares, and counts a part that goes backwards as 0', () => {
    const reading = new HostReading({ elapsedMsMax: 5000 })
    const modes = (user: number, iowait: number, idle: number) => {
      reading.shares('system.cpu.utilization', [
        { labelValues: ['user'], count: user },
        { labelValues: ['iowait'], count: iowait },
        { labelValues: ['idle'], count: idle },
      ])
      return reading.samples.map(({ value }) => value)
    }
    reading.begin(0)
    assert.deepEqual(modes(100, 50, 1000), [])
    reading.begin(1000)
    assert.deepEqual(modes(125, 49, 1075), [0.25, 0, 0.75])
    // The whole went backwards: another machine's counters, a reset.
    reading.begin(2000)
    assert.deepEqual(modes(1, 1, 1), [])
  })

  it('leaves out what is not a number and bounds a share of time by 1', () => {
    const reading = new HostReading({ elapsedMsMax: 5000 })
    reading.begin(0)
    reading.level('system.uptime', [], Number.NaN)
    reading.level('system.memory.utilization', ['used'], 0 / 0)
    reading.shareOfTime('system.disk.io_time', ['sda'], 10)
    reading.begin(1000)
    reading.shareOfTime('system.disk.io_time', ['sda'], 11.004)
    assert.deepEqual(
      reading.samples.map(({ value }) => value),
      [1],
    )
  })
})

describe('rounded', () => {
  it('has at most its digits, is close, and is never -0 (property)', () => {
    const digits = fc.constantFrom(0 as const, 2 as const, 4 as const)
    fc.assert(
      fc.property(fc.double({ min: -1e11, max: 1e11, noNaN: true }), digits, (value, places) => {
        const result = rounded(value, places)
        assert.ok(!Object.is(result, -0))
        assert.equal(Number(result.toFixed(places)), result)
        assert.ok(Math.abs(result - value) <= 0.5000001 / 10 ** places + Math.abs(value) * Number.EPSILON)
      }),
    )
  })
})

describe('labelValue', () => {
  it('fits the contract, whatever the name (property)', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 2000 }), (name) => {
        const value = labelValue(name)
        assert.ok(value.length > 0)
        assert.ok(Buffer.byteLength(value) <= labelValueBytesMax)
        assert.doesNotMatch(value, controlCharacterPattern)
      }),
    )
  })
})
