/** The grid and the phase: stable, spread, and early enough for the watermark. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { cellMs, cellStartMs, flushPhaseMs, nextFlushMs } from './flush-grid.ts'

const instants = fc.integer({ min: 0, max: 4e12 })
const phases = fc.integer({ min: 0, max: 7999 })

describe('flush grid', () => {
  it('flushes once in every 15 s, after now, at the phase behind a grid point (property)', () => {
    fc.assert(
      fc.property(instants, phases, (nowMs, phaseMs) => {
        const nextMs = nextFlushMs(nowMs, { phaseMs })
        assert.ok(nextMs > nowMs && nextMs <= nowMs + cellMs)
        assert.equal((nextMs - phaseMs) % cellMs, 0)
        assert.equal(nextFlushMs(nextMs, { phaseMs }), nextMs + cellMs)
      }),
    )
  })

  it("sends a minute's last cell within 8 s of its end (property)", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 6e7 }), phases, (minute, phaseMs) => {
        const endMs = minute * 60_000
        const flushMs = nextFlushMs(endMs - 1, { phaseMs })
        const sentMs = cellStartMs(flushMs) >= endMs ? flushMs : nextFlushMs(flushMs, { phaseMs })
        assert.ok(sentMs - endMs < 8000)
      }),
    )
  })

  it('gives a server always the same phase, and 1,000 servers a spread over [0, 8 s)', () => {
    assert.equal(flushPhaseMs('web-17'), flushPhaseMs('web-17'))
    const perSecond = new Array<number>(8).fill(0)
    for (let index = 0; index < 1000; index += 1) {
      const second = Math.floor(flushPhaseMs(`web-${index}`) / 1000)
      perSecond[second] = (perSecond[second] ?? 0) + 1
    }
    assert.equal(perSecond.length, 8)
    assert.ok(
      perSecond.every((hosts) => hosts > 80 && hosts < 175),
      String(perSecond),
    )
  })
})
