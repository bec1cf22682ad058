/** Units told from ids, and values written as people write them. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { formatValue, increments, type Unit, unitOf } from './unit.ts'

test('the unit follows from the id', () => {
  const expected: [string, Unit][] = [
    ['system.cpu.utilization', 'ratio'],
    ['system.memory.usage', 'bytes'],
    ['system.memory.utilization', 'ratio'],
    ['system.filesystem.usage', 'bytes'],
    ['system.disk.io', 'bytesPerSecond'],
    ['system.disk.operations', 'perSecond'],
    ['system.network.io', 'bytesPerSecond'],
    ['system.network.errors', 'perSecond'],
    ['system.uptime', 'seconds'],
    ['system.disk.io_time', 'ratio'],
    ['system.disk.operation_time', 'secondsPerSecond'],
    ['system.linux.psi.pressure', 'ratio'],
    ['system.network.packet.count', 'perSecond'],
    ['system.linux.context_switches', 'perSecond'],
    ['system.memory.limit', 'bytes'],
    ['system.memory.linux.slab.usage', 'bytes'],
    ['system.process.count', 'number'],
    ['system.cpu.load_average.1m', 'number'],
    ['http_request_duration_seconds', 'seconds'],
    ['go_memstats_alloc_bytes', 'bytes'],
    ['checkout.latency_ms', 'milliseconds'],
    ['queue.depth', 'number'],
  ]
  for (const [metricId, unit] of expected) assert.equal(unitOf(metricId), unit, metricId)
})

test('values are written with three digits and their unit', () => {
  const expected: [number, Unit, string][] = [
    [0.0312, 'ratio', '3.12 %'],
    [1, 'ratio', '100 %'],
    [0.000_01, 'ratio', '<0.01 %'],
    [0.001_234, 'ratio', '0.12 %'],
    [0, 'bytes', '0 B'],
    [1536, 'bytes', '1.5 KiB'],
    [8.2 * 1024 ** 3, 'bytes', '8.2 GiB'],
    [2.5 * 1024 ** 2, 'bytesPerSecond', '2.5 MiB/s'],
    [1234.5, 'number', '1235'],
    [48_200, 'number', '48.2 k'],
    [12, 'perSecond', '12 /s'],
    [0.18, 'seconds', '180 ms'],
    [42, 'seconds', '42 s'],
    [86_400 * 12, 'seconds', '12 d'],
    [250, 'milliseconds', '250 ms'],
    [0.000_367, 'secondsPerSecond', '367 µs/s'],
  ]
  for (const [value, unit, text] of expected) assert.equal(formatValue(value, unit), text)
  assert.equal(formatValue(null, 'bytes'), '–')
})

test('any number has a short text, within half a per cent of it', () => {
  const units: Unit[] = [
    'ratio',
    'percent',
    'bytes',
    'bytesPerSecond',
    'perSecond',
    'seconds',
    'milliseconds',
    'number',
  ]
  fc.assert(
    fc.property(fc.double({ noNaN: true, min: -1e15, max: 1e15 }), fc.constantFrom(...units), (value, unit) => {
      const text = formatValue(value, unit)
      assert.ok(text.length > 0 && text.length <= 16, text)
      if (unit === 'percent' && !/[<>]/.test(text))
        assert.ok(Math.abs(Number(text.replace(' %', '')) - value) <= Math.max(0.0051, Math.abs(value) * 0.0051))
    }),
  )
})

test('grid lines of bytes are powers of two, those of seconds whole minutes and hours', () => {
  assert.ok(increments('bytes')?.includes(256 * 1024 ** 2))
  assert.ok(increments('seconds')?.includes(3600))
  for (const unit of ['bytes', 'seconds'] as const) {
    const all = increments(unit) ?? []
    assert.deepEqual(
      all,
      all.toSorted((a, b) => a - b),
    )
  }
})
