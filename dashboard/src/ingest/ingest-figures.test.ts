import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { IngestAnswer } from '@minutely/schema/ingest-wire'
import { figuresOf, shareText, verdictOf } from './ingest-figures.ts'

const minuteMs = 60_000
const answer: IngestAnswer = {
  startMs: 0,
  endMs: 3 * minuteMs,
  stepMs: minuteMs,
  completeThroughMs: 2 * minuteMs,
  provisionalFromMs: 2 * minuteMs,
  nowMs: 2.5 * minuteMs,
  lag: { partitionCount: 1, worstMs: 30_000, partitions: [] },
  logGapCount: 0,
  accepted: [600, 1200, 60],
  late: [null, 0, null],
  conflicting: [null, null, null],
  lagSeconds: [12, 30, null],
  rejected: [],
  requests: [],
  hosts: [],
  sources: [],
}
const refused = { ...answer, rejected: [{ reason: 'time-too-old' as const, total: 3, counts: [1, 2, null] }] }

describe('figures', () => {
  it('take the rate of the newest final step, not of the one that is still filled', () => {
    assert.equal(figuresOf(answer).ratePerS, 20)
    assert.equal(figuresOf({ ...answer, accepted: [600, null, 60] }).ratePerS, 10)
    assert.equal(figuresOf({ ...answer, accepted: [null, null, 60] }).ratePerS, undefined)
  })

  it('add up what is in the range', () => {
    const { accepted, rejected, late } = figuresOf(refused)
    assert.deepEqual([accepted, rejected, late], [1860, 3, 0])
  })
})

describe('the verdict', () => {
  it('names the worst', () => {
    assert.equal(verdictOf(answer).health, 'good')
    assert.equal(verdictOf(refused).text, 'Some samples were refused')
    assert.equal(verdictOf({ ...refused, lag: { ...answer.lag, worstMs: 101_000 } }).text, 'Minutes close late')
    assert.equal(verdictOf({ ...refused, logGapCount: 1 }).text, 'Samples were lost before they were read')
    assert.equal(verdictOf({ ...answer, accepted: [null, 0, null] }).health, 'unknown')
  })
})

it('a share of little is not said to be none', () => {
  assert.deepEqual(
    [shareText(1, 1e6), shareText(3, 10_000), shareText(1, 3), shareText(0, 0)],
    ['<0.01 %', '0.03 %', '33 %', ''],
  )
})
