import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { type FoundMinute, minuteProblem } from './minute-verdict.ts'

const minuteMs = Date.parse('2026-03-01T10:00:00Z')
/** Distinct decimals, so that every set of seconds has a sum of its own. */
const values = Float64Array.from({ length: 60 }, (_, second) => (second * second + 1) / 100)
const all = 0b1111

function minuteOf(seconds: readonly number[]): FoundMinute | undefined {
  const own = seconds.map((second) => values[second] ?? Number.NaN)
  if (own.length === 0) return undefined
  const sum = own.reduce((total, value) => total + Math.round(value * 100), 0) / 100
  return { min: Math.min(...own), max: Math.max(...own), sum, count: own.length }
}

const range = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, index) => from + index)
const judge = (found: FoundMinute | undefined, masks: { must: number; may: number }): string | null =>
  minuteProblem({ minuteMs, values, found, ...masks })

describe('a minute that was read', () => {
  test('fits when it holds what was acknowledged, and nothing that was not sent', () => {
    assert.equal(judge(minuteOf(range(0, 60)), { must: all, may: all }), null)
    assert.equal(judge(minuteOf(range(15, 30)), { must: 0b0010, may: all }), null)
    assert.equal(judge(minuteOf([...range(0, 15), ...range(45, 60)]), { must: 0b0001, may: 0b1001 }), null)
    assert.equal(judge(undefined, { must: 0, may: 0b0100 }), null)
  })

  test('names the first second of an acknowledged cell that is missing', () => {
    assert.match(judge(minuteOf(range(0, 45)), { must: all, may: all }) ?? '', /^2026-03-01T10:00:45Z: acknowledged/)
    assert.match(judge(undefined, { must: 0b0110, may: all }) ?? '', /^2026-03-01T10:00:15Z: acknowledged/)
  })

  test('names the first second of a cell that was never sent', () => {
    assert.match(judge(minuteOf(range(0, 60)), { must: 1, may: 0b0111 }) ?? '', /^2026-03-01T10:00:45Z: .*never sent/)
  })

  test('names a single second that is missing or counted twice', () => {
    const without = minuteOf(range(0, 60).filter((second) => second !== 37))
    assert.equal(judge(without, { must: all, may: all }), '2026-03-01T10:00:37Z: acknowledged, but missing')
    assert.equal(judge(minuteOf([...range(0, 60), 22]), { must: all, may: all }), '2026-03-01T10:00:22Z: counted twice')
  })

  test('says what is there when nothing explains it', () => {
    const whole = minuteOf(range(0, 60)) ?? { min: 0, max: 0, sum: 0, count: 0 }
    assert.match(judge({ ...whole, max: 99 }, { must: all, may: all }) ?? '', /found count 60.*max 99 instead of/)
  })
})
