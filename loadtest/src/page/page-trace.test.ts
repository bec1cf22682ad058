/** Figures from traces, of made-up ones. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { framesBetween, navigationToMarkMs, type TraceEvent } from './page-trace.ts'

const mark = (name: string, ts: number): TraceEvent => ({ name, cat: 'blink.user_timing', ph: 'I', ts, pid: 1 })

test('the time to a mark is from the navigation of the same page', () => {
  const events: TraceEvent[] = [
    { ...mark('navigationStart', 1_000_000) },
    { ...mark('navigationStart', 1_900_000), pid: 2 },
    mark('painted', 2_500_000),
  ]
  assert.equal(navigationToMarkMs(events, 'painted'), 1_500)
  assert.throws(() => navigationToMarkMs(events, 'gone'), /no mark gone/)
})

test('frames are those between two marks', () => {
  const frame = (ts: number): TraceEvent => ({ name: 'DrawFrame', ph: 'I', ts })
  const script = (ts: number, dur: number): TraceEvent => ({ name: 'FireAnimationFrame', ph: 'X', ts, dur })
  const events = [
    frame(5),
    mark('from', 10),
    frame(10_010),
    script(15_000, 4_000),
    frame(20_010),
    frame(50_010),
    mark('to', 100_010),
    frame(200_000),
  ]
  assert.deepEqual(framesBetween(events, { from: 'from', to: 'to' }), {
    count: 3,
    perSecond: 30,
    gapP50Ms: 30,
    gapP95Ms: 30,
    gapMaxMs: 30,
    scriptP50Ms: 4,
    scriptP95Ms: 4,
  })
})
