/** CPU busy and memory in use from the metrics that hosts send, with gaps kept. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { SeriesColumns } from '@minutely/schema/query-wire'
import { vitalsOf } from './host-vitals.ts'

const series = (metricId: string, state: string, avg: (number | null)[]): SeriesColumns => ({
  metricId,
  labels: state === '' ? {} : { state },
  avg,
})
const vitals = (...all: SeriesColumns[]) =>
  vitalsOf({
    startMs: 0,
    endMs: 120_000,
    stepMs: 60_000,
    completeThroughMs: 120_000,
    provisionalFromMs: null,
    series: all,
  })
const cpu = 'system.cpu.utilization'

test('busy is one minus idle, or the sum of the modes when idle is not sent', () => {
  assert.deepEqual(vitals(series(cpu, 'idle', [0.75, null]), series(cpu, 'user', [0.2, 0.2])).cpuBusy, [0.25, null])
  assert.deepEqual(vitals(series(cpu, 'user', [0.5, null]), series(cpu, 'system', [0.25, null])).cpuBusy, [0.75, null])
  assert.equal(vitals().cpuBusy, undefined)
})

test('memory is the utilization, or used over the total of all states', () => {
  assert.deepEqual(vitals(series('system.memory.utilization', '', [0.5, null])).memoryUsed, [0.5, null])
  const usage = [series('system.memory.usage', 'used', [1, 3]), series('system.memory.usage', 'free', [3, null])]
  assert.deepEqual(vitals(...usage).memoryUsed, [0.25, 1])
  assert.equal(vitals(series('system.memory.usage', '', [5, 5])).memoryUsed, undefined)
})
