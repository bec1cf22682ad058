import assert from 'node:assert/strict'
import { test } from 'node:test'
import { hourMs, isForgotten } from './forgotten-hours.ts'

const minuteMs = 60_000
const noonMs = Date.UTC(2026, 10, 21, 12)

test('only hours that ended before the retention may be gone, as a whole', () => {
  const nowMs = noonMs + 30 * minuteMs
  assert.equal(isForgotten(noonMs - 3 * hourMs - minuteMs, nowMs, 3), true, '8:59')
  assert.equal(isForgotten(noonMs - 3 * hourMs, nowMs, 3), false, '9:00, whose hour ends after 9:30')
  assert.equal(isForgotten(noonMs - 2 * hourMs - minuteMs, noonMs + hourMs, 3), true, '9:59 at 13:00 sharp')
  assert.equal(isForgotten(0, nowMs), false, 'without a retention')
})
