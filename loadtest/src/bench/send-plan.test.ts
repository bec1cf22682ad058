import assert from 'node:assert/strict'
import { test } from 'node:test'
import { batchAt, batchCount, realDelayMs, type SendPlan, sampleCount } from './send-plan.ts'

const plan: SendPlan = { hostCount: 4, metricCount: 3, startMs: 600_000, cellCount: 8 }

test('every host ships every cell, after its end and within 8 s, in the order of the index', () => {
  const all = Array.from({ length: batchCount(plan) }, (_, index) => batchAt(plan, index))
  assert.equal(new Set(all.map(({ host, startMs }) => `${host} ${startMs}`)).size, 32)
  for (const { startMs, dueMs } of all) assert.ok(dueMs >= startMs + 15_000 && dueMs < startMs + 23_000)
  assert.deepEqual(
    all.map(({ dueMs }) => dueMs),
    all.map(({ dueMs }) => dueMs).toSorted((a, b) => a - b),
  )
  assert.equal(sampleCount(plan), 4 * 3 * 120)
})

test('a delay is on the machine’s clock, and negative when the instant is over', () => {
  const time = { realMs: 1_000, fleetMs: 600_000, speed: 10 }
  assert.equal(realDelayMs(time, { dueMs: 615_000, nowMs: 1_000 }), 1_500)
  assert.equal(realDelayMs(time, { dueMs: 615_000, nowMs: 3_000 }), -500)
})
