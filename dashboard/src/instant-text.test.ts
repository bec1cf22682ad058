/** Distances in words, and the line between fresh and stale. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ago, axisTexts, clock, clockNear, freshnessOf, seenText } from './instant-text.ts'

test('distances are short and never negative', () => {
  const now = 1_764_028_800_000
  const expected: [number, string][] = [
    [-5_000, 'just now'],
    [0, 'just now'],
    [40_000, '40 s ago'],
    [180_000, '3 min ago'],
    [7_200_000, '2 h ago'],
    [3 * 86_400_000, '3 d ago'],
  ]
  for (const [distanceMs, text] of expected) assert.equal(ago(now - distanceMs, now), text)
})

test('a server that reports all the time is live, with whatever second one looks; a silent one is not', () => {
  // Its newest stored minute ended 10 s to 75 s ago, and the list may be 15 s old.
  for (let ageMs = -2_000; ageMs <= 90_000; ageMs += 1_000) {
    assert.equal(freshnessOf(0, ageMs), 'live')
    assert.equal(seenText(0, ageMs), 'just now')
  }
  assert.equal(freshnessOf(0, 120_000), 'late')
  assert.equal(seenText(0, 120_000), '2 min ago')
  assert.equal(freshnessOf(0, 300_000), 'stale')
  assert.equal(seenText(0, 300_000), '5 min ago')
})

test('axes name the day at midnight, clocks the day when it is not today', () => {
  const midnight = new Date(2026, 2, 5).getTime()
  assert.deepEqual(axisTexts([midnight - 3_600_000, midnight, midnight + 60_000]), ['23:00', '5 Mar', '00:01'])
  assert.equal(clockNear(midnight + 60_000, midnight + 120_000), clock(midnight + 60_000))
  assert.match(clockNear(midnight - 60_000, midnight), /Wed.* 4 Mar.* 23:59/)
})
