/** The setting of what is kept for how long: what it says of a metric, and how a wrong part is named. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Retention, retentionRules } from './retention.ts'

const rulesOf = (written: string) => retentionRules.parse(written)
const retentionOf = (written: string, retentionHours = 48) =>
  new Retention({ retentionHours, hourRetentionDays: 400, retentionByMetric: rulesOf(written) })

test('the first pattern that matches wins, the rest has its own', () => {
  const retention = retentionOf(' debug.*=6h/3d , system.cpu.*=2w,system.*=7d/3650d')
  assert.equal(retention.patternOf('debug.x'), 'debug.*')
  assert.equal(retention.patternOf('system.cpu.time'), 'system.cpu.*')
  assert.equal(retention.patternOf('system.memory'), 'system.*')
  assert.equal(retention.patternOf('room.temperature'), '*')
  assert.deepEqual(
    retention.all.map(({ pattern, minuteHours, hourHours }) => [pattern, minuteHours, hourHours]),
    [
      ['debug.*', 6, 72],
      ['system.cpu.*', 336, 9_600],
      ['system.*', 168, 87_600],
      ['*', 48, 9_600],
    ],
  )
  assert.equal(retention.minuteHoursMax, 336)
  assert.equal(retention.keptOf('was.once.*').minuteHours, 48)
})

test('hours are kept for as long as minutes at least', () => {
  const retention = new Retention({ retentionHours: 2_000, hourRetentionDays: 1, retentionByMetric: rulesOf('a=9d') })
  assert.deepEqual(
    retention.all.map(({ hourHours }) => hourHours),
    [216, 2_000],
  )
})

test('nothing is no rule', () => {
  assert.deepEqual([rulesOf(''), rulesOf('  ')], [[], []])
})

const wrong: readonly (readonly [string, RegExp])[] = [
  ['debug.*', /^"debug\.\*" is no pattern=duration, like debug\.\*=6h/],
  ['a=1d,,b=1d', /^"" is no pattern=duration/],
  ['a=1d,b c=1d', /^"b c=1d" has a pattern that no metric matches/],
  ['*=1d', /^"\*=1d" matches everything: set MINUTELY_RETENTION_HOURS and MINUTELY_HOUR_RETENTION_DAYS instead/],
  ['a=6', /^"a=6" has the duration "6", it must be from 1h to 3660d \(units h, d, w\)/],
  ['a=0h', /has the duration "0h"/],
  ['a=6h/9y', /has the duration "9y"/],
  ['a=6h/', /has the duration ""/],
  ['a=9999d', /has the duration "9999d"/],
  ['a=7d/6d', /^"a=7d\/6d" keeps hours for less than minutes/],
  ['a=1d,a=2d', /^"a=2d" repeats a pattern/],
  [Array.from({ length: 17 }, (_, index) => `a${index}=1d`).join(), /has 17 patterns, at most 16 are taken/],
]

for (const [written, pattern] of wrong) {
  test(`${written.slice(0, 20)} is refused, and its part is named`, () => {
    const { error } = retentionRules.safeParse(written)
    assert.match(error?.issues.map(({ message }) => message).join('\n') ?? 'taken', pattern)
  })
}
