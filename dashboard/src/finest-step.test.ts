/** Minutes where they are kept, hours where only they are; a refusal that names a step is mended by it. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { StorageTier } from '@minutely/schema/query-wire'
import { ApiFailure } from './api.ts'
import { finestStep, tiersFrom, withFittingStep } from './finest-step.ts'
import { hourMs, minuteMs, type View, type Window } from './time-range.ts'

const nowMs = 1_764_028_800_000
const dayMs = 24 * hourMs
const stored = (minutesMs: number | null, hoursMs: number | null) =>
  tiersFrom({
    tiers: [
      { tier: 'minutes', oldestMs: null },
      { tier: 'sealed-minutes', oldestMs: minutesMs },
      { tier: 'hours', oldestMs: hoursMs },
      { tier: 'log', oldestMs: 1 },
    ] as StorageTier[],
  })

test('hours are asked for only where minutes are gone and hours are not', () => {
  const kept = stored(nowMs - 2 * dayMs, nowMs - 90 * dayMs)
  assert.equal(finestStep(nowMs - dayMs, kept, nowMs), minuteMs)
  assert.equal(finestStep(nowMs - 7 * dayMs, kept, nowMs), hourMs)
  assert.equal(finestStep(nowMs - 2 * dayMs - minuteMs, kept, nowMs), minuteMs, 'an hour less is no reason')
  const young = stored(nowMs - dayMs, nowMs - dayMs)
  assert.equal(finestStep(nowMs - 7 * dayMs, young, nowMs), minuteMs, 'hours know no more')
  assert.equal(finestStep(nowMs - 7 * dayMs, stored(nowMs - 30 * dayMs, nowMs - 90 * dayMs), nowMs), minuteMs)
  assert.equal(finestStep(nowMs - 7 * dayMs, stored(null, null), nowMs), minuteMs)
  assert.equal(finestStep(nowMs - 7 * dayMs, undefined, nowMs), hourMs)
  assert.equal(finestStep(nowMs - 2 * dayMs, undefined, nowMs), minuteMs)
})

test('a refused step is asked again as the refusal says, once', async () => {
  const view: View = { kind: 'between', range: '1h', fromMs: nowMs - 3 * hourMs, toMs: nowMs }
  const asked: number[] = []
  const refuse = (window: Window): Promise<number> => {
    asked.push(window.stepMs)
    if (window.stepMs >= hourMs) return Promise.resolve(window.stepMs)
    const details = { fittingStepMs: hourMs }
    return Promise.reject(new ApiFailure('step-too-fine', 'hours are', { status: 400, details }))
  }
  assert.equal(await withFittingStep(view, { nowMs, stepMsMin: minuteMs }, refuse), hourMs)
  assert.deepEqual(asked, [minuteMs, hourMs])
  const other = new ApiFailure('metric-not-found', 'no', { status: 404 })
  await assert.rejects(
    withFittingStep(view, { nowMs, stepMsMin: minuteMs }, () => Promise.reject(other)),
    other,
  )
})
