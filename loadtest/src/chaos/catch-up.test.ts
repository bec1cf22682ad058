import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CatchUp } from './catch-up.ts'

const minuteMs = 60_000
const startMs = 1_795_000_020_000

test('ten minutes that are caught up in one and a half are seven log-minutes a minute', () => {
  const catchUp = new CatchUp()
  catchUp.observe(startMs, startMs - minuteMs)
  const backMs = startMs + 10 * minuteMs
  catchUp.observe(backMs, startMs - minuteMs)
  catchUp.serverIsBack(backMs)
  assert.ok(catchUp.isBehind)
  catchUp.observe(backMs + minuteMs, startMs + 5 * minuteMs)
  assert.deepEqual(catchUp.results, [])
  catchUp.observe(backMs + 1.5 * minuteMs, backMs + 0.5 * minuteMs)
  assert.ok(!catchUp.isBehind)
  assert.deepEqual(catchUp.results, [{ behindMs: 11 * minuteMs, tookMs: 1.5 * minuteMs, speed: 11.5 / 1.5 }])
})

test('a short outage, or one before anything is complete, is not measured', () => {
  const catchUp = new CatchUp()
  catchUp.serverIsBack(startMs)
  catchUp.observe(startMs, startMs - minuteMs)
  catchUp.serverIsBack(startMs + minuteMs)
  assert.ok(!catchUp.isBehind)
  catchUp.observe(startMs + minuteMs, startMs)
  assert.deepEqual(catchUp.results, [])
})
