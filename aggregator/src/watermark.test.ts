import assert from 'node:assert/strict'
import { test } from 'node:test'
import { minuteMs } from '@minutely/schema/limits'
import { Watermark } from './watermark.ts'

const baseMs = Date.UTC(2027, 0, 15, 9)
const latenessMs = 10_000

test('a minute closes at its end plus the lateness, to the millisecond', () => {
  const watermark = new Watermark({ latenessMs }, baseMs)
  watermark.observe(baseMs + minuteMs + latenessMs - 1)
  assert.equal(watermark.closedThroughMs, baseMs)
  watermark.observe(baseMs + minuteMs + latenessMs)
  assert.equal(watermark.closedThroughMs, baseMs + minuteMs)
})

test('it starts where the partition was closed, and closes nothing by that', () => {
  for (const resumeMs of [0, baseMs]) {
    const watermark = new Watermark({ latenessMs }, resumeMs)
    assert.equal(watermark.closedThroughMs, resumeMs)
    assert.equal(watermark.trustedMs, resumeMs + latenessMs)
  }
})

test('trusted time never goes back, neither by an old record nor by a wall clock that is behind', () => {
  const watermark = new Watermark({ latenessMs }, baseMs)
  watermark.observe(baseMs + 5 * minuteMs)
  watermark.observe(baseMs)
  watermark.observeIdle(baseMs + minuteMs)
  assert.equal(watermark.trustedMs, baseMs + 5 * minuteMs)
})

test('an idle partition follows the wall clock, a second behind', () => {
  const watermark = new Watermark({ latenessMs }, baseMs)
  watermark.observeIdle(baseMs + minuteMs + latenessMs + 999)
  assert.equal(watermark.closedThroughMs, baseMs)
  watermark.observeIdle(baseMs + minuteMs + latenessMs + 1_000)
  assert.equal(watermark.closedThroughMs, baseMs + minuteMs)
})

test('with no lateness a minute closes at its end', () => {
  const watermark = new Watermark({ latenessMs: 0 }, baseMs)
  watermark.observe(baseMs + minuteMs)
  assert.equal(watermark.closedThroughMs, baseMs + minuteMs)
})
