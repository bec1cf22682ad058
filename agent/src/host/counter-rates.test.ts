/** Rates: gaps where a counter is doubtful, the true rate elsewhere, never a negative or infinite one. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { CounterRates } from './counter-rates.ts'

const key = {}

describe('CounterRates', () => {
  it('gives a gap first, then the increase over the monotonic time', () => {
    const rates = new CounterRates({ elapsedMsMax: 5000 })
    rates.begin(1000)
    assert.equal(rates.perSecond(key, 500), undefined)
    rates.begin(3000)
    assert.equal(rates.perSecond(key, 700), 100)
  })

  it('gives a gap when a counter goes backwards, and goes on from there', () => {
    const rates = new CounterRates({ elapsedMsMax: 5000 })
    const seen = [4294967290, 12, 22].map((count, index) => {
      rates.begin(index * 1000)
      return rates.perSecond(key, count)
    })
    assert.deepEqual(seen, [undefined, undefined, 10])
  })

  it('gives a gap after a reading without the counter: another device may have taken its name', () => {
    const rates = new CounterRates({ elapsedMsMax: 5000 })
    rates.begin(0)
    rates.perSecond(key, 1)
    rates.begin(1000)
    rates.begin(2000)
    assert.equal(rates.perSecond(key, 1_000_000), undefined)
  })

  it('gives a gap when readings are too close or too far apart', () => {
    const rates = new CounterRates({ elapsedMsMax: 5000 })
    rates.begin(0)
    rates.perSecond(key, 0)
    rates.begin(20)
    assert.equal(rates.perSecond(key, 100), undefined)
    rates.begin(60_020)
    assert.equal(rates.perSecond(key, 200), undefined)
  })

  it('never gives a negative, infinite or exaggerated rate (property)', () => {
    const readings = fc.array(fc.record({ afterMs: fc.nat(10_000), count: fc.option(fc.maxSafeNat()) }))
    fc.assert(
      fc.property(readings, (list) => {
        const rates = new CounterRates({ elapsedMsMax: 5000 })
        let nowMs = 0
        let last = null as number | null
        for (const { afterMs, count } of list) {
          nowMs += afterMs
          rates.begin(nowMs)
          if (count !== null) {
            const rate = rates.perSecond(key, count)
            const expected: boolean = last !== null && count >= last && afterMs >= 100 && afterMs <= 5000
            assert.equal(rate !== undefined, expected)
            if (rate !== undefined && last !== null) assert.equal(rate, (count - last) / (afterMs / 1000))
          }
          last = count
        }
      }),
    )
  })
})
