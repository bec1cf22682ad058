/** Query parameters, time ranges and formats: what is read, and how what is not is refused. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { matchesGlob } from '@minutely/lib/metric-glob'
import fc from 'fast-check'
import { chooseFormat } from './accept.ts'
import { Parameters } from './parameters.ts'
import { assertPointsFit, PointBudget } from './range-limits.ts'
import { likePattern, readSelector } from './series-selector.ts'
import { decodeCursor, encodeCursor } from './servers.ts'
import { alignRange, readInstant, readTimeRange, roundStepFor } from './time-range.ts'

const nowMs = Date.UTC(2026, 0, 5, 12, 34, 56)
const refusal = (message: RegExp) => ({ id: 'parameter-invalid', status: 400, message })

describe('parameters', () => {
  it('refuse what is unknown, repeated, empty or no number, saying what would be right', () => {
    assert.throws(() => new Parameters({ form: '1' }, ['from', 'to']), refusal(/"form" is unknown; there are from, to/))
    assert.throws(() => new Parameters({ a: '1' }, []), refusal(/this route has none/))
    assert.throws(() => new Parameters({ 'label.': '1' }, ['label.']), refusal(/unknown/))
    assert.throws(() => new Parameters({ a: ['1', '2'] }, ['a']).single('a'), refusal(/given 2 times/))
    assert.throws(() => new Parameters({ a: '' }, ['a']).single('a'), refusal(/is empty/))
    assert.throws(() => new Parameters({ a: 'x,' }, ['a']).list('a'), refusal(/empty item/))
    for (const text of ['1.5', '0x1', '1e3', ' 1', '11', '0', '-1', '9'.repeat(30)]) {
      const read = () => new Parameters({ a: text }, ['a']).integer('a', { min: 1, max: 10, default: 5 })
      assert.throws(read, refusal(/whole number from 1 to 10/), text)
    }
  })

  it('read lists repeated, comma-separated or both', () => {
    const parameters = new Parameters({ agg: ['min,max', 'min'] }, ['agg'])
    assert.deepEqual(parameters.list('agg'), ['min', 'max'])
    assert.deepEqual(parameters.list('absent'), [])
  })
})

describe('instants', () => {
  const read = (text: string) => readInstant('from', text, nowMs)
  it('are ms, RFC 3339 or relative', () => {
    assert.equal(read('1764028800000'), 1_764_028_800_000)
    assert.equal(read('0'), 0)
    assert.equal(read('2025-11-25T00:00:00Z'), 1_764_028_800_000)
    assert.equal(read('2025-11-25T01:00:00.5+01:00'), 1_764_028_800_500)
    assert.equal(read('2025-11-25T01:00:00 01:00'), 1_764_028_800_000, 'an unescaped + arrives as a space')
    assert.equal(read('now'), nowMs)
    assert.equal(read('-15m'), nowMs - 900_000)
    assert.equal(read('now-2h'), nowMs - 7_200_000)
  })
  it('are refused when they are anything else', () => {
    const wrong = [
      '2025-11-25',
      '2025-11-25T00:00:00',
      '2025-02-30T00:00:00Z',
      '2025-13-01T00:00:00Z',
      '-5',
      '+5m',
      '-5y',
      'x',
      '1e12',
      '-999999999w',
    ]
    for (const text of wrong) assert.throws(() => read(text), refusal(/RFC 3339/), text)
    assert.throws(() => read('1764028800'), refusal(/looks like seconds; in ms it is 1764028800000/))
  })
})

describe('time ranges', () => {
  it('cover what was asked with whole steps on the epoch grid', () => {
    const span = fc.tuple(
      fc.integer({ min: 0, max: 4e12 }),
      fc.integer({ min: 1, max: 4e10 }),
      fc.integer({ min: 1, max: 3000 }),
    )
    fc.assert(
      fc.property(span, ([fromMs, lengthMs, minutes]) => {
        const stepMs = minutes * 60_000
        const toMs = fromMs + lengthMs
        const { startMs, endMs, stepCount } = alignRange({ fromMs, toMs }, stepMs)
        assert.ok(startMs <= fromMs && startMs > fromMs - stepMs && startMs % stepMs === 0)
        assert.ok(endMs >= toMs && endMs < toMs + stepMs)
        assert.equal(endMs - startMs, stepCount * stepMs)
      }),
    )
  })

  it('have a default step that gives at most 721 steps, and an advised one that fits', () => {
    const span = fc.tuple(
      fc.integer({ min: 0, max: 4e12 }),
      fc.integer({ min: 1, max: 4e10 }),
      fc.integer({ min: 2, max: 2000 }),
    )
    fc.assert(
      fc.property(span, ([fromMs, lengthMs, stepsMax]) => {
        const toMs = fromMs + lengthMs
        const range = readTimeRange(
          new Parameters({ from: String(fromMs + 1e11), to: String(toMs + 1e11) }, ['from', 'to']),
          { nowMs, rangeDaysMax: 1000 },
        )
        assert.ok(range.stepCount <= 721)
        assert.ok(alignRange({ fromMs, toMs }, roundStepFor({ fromMs, toMs }, stepsMax)).stepCount <= stepsMax)
      }),
    )
  })

  it('must be neither reversed nor too long', () => {
    const read = (query: object) =>
      readTimeRange(new Parameters(query, ['from', 'to', 'stepMs']), { nowMs, rangeDaysMax: 10 })
    assert.throws(() => read({ from: 'now', to: '-1m' }), { id: 'range-invalid', message: /60000 ms after to/ })
    assert.throws(() => read({ from: '-11d' }), { id: 'range-invalid', message: /spans 11 days, at most 10/ })
    assert.throws(() => read({ stepMs: '61000' }), refusal(/60000 and 120000 are next to it/))
    for (const stepMs of ['17', '0', '-60000', 'x', '6e4', '99999999960000']) {
      const expected = /it must be a multiple of 60000, from 60000 to 31622400000$/
      assert.throws(() => read({ stepMs }), refusal(expected), stepMs)
    }
    assert.equal(read({ stepMs: '120000' }).stepMs, 120_000)
  })
})

describe('selectors', () => {
  it('match globs as a regular expression would', () => {
    const letters = fc.string({ unit: fc.constantFrom('a', 'b', '*', '.'), maxLength: 8 })
    const names = fc.string({ unit: fc.constantFrom('a', 'b', '.'), maxLength: 8 })
    fc.assert(
      fc.property(letters, names, (glob, name) => {
        const pattern = new RegExp(`^${glob.replaceAll('.', '\\.').replaceAll('*', '.*')}$`)
        assert.equal(matchesGlob(glob, name), pattern.test(name))
      }),
      { numRuns: 2000 },
    )
    assert.equal(likePattern('a_%\\*'), 'a\\_\\%\\\\%')
  })

  it('refuse what can be no metric', () => {
    for (const metricId of ["x' or true", '%', '9a', 'a b']) {
      assert.throws(
        () => readSelector(new Parameters({ metricId }, ['metricId'])),
        refusal(/\* may stand in it/),
        metricId,
      )
    }
  })
})

describe('formats', () => {
  const offered = ['application/json', 'text/csv'] as const
  it('follow the Accept header', () => {
    const cases: [string | undefined, string][] = [
      [undefined, 'application/json'],
      ['*/*', 'application/json'],
      ['text/csv', 'text/csv'],
      ['text/*', 'text/csv'],
      ['text/html,application/xhtml+xml,*/*;q=0.8', 'application/json'],
      ['application/json;q=0.5, text/csv;q=0.9', 'text/csv'],
      ['application/json;q=0, */*', 'text/csv'],
    ]
    for (const [accept, format] of cases) assert.equal(chooseFormat(accept, offered), format, accept)
    for (const accept of ['image/png', 'text/csv;q=0', '*/*;q=x']) {
      assert.throws(() => chooseFormat(accept, offered), { id: 'not-acceptable', status: 406 }, accept)
    }
  })
})

describe('limits', () => {
  it('name the smallest round step that fits', () => {
    const range = alignRange({ fromMs: 0, toMs: 86_400_000 }, 60_000)
    const config = { pointsMax: 10_000 } as never
    assert.doesNotThrow(() => assertPointsFit(6, range, config))
    assert.throws(() => assertPointsFit(100, range, config), {
      id: 'too-many-points',
      message: /144000 points \(100 series x 1440 steps\).*stepMs=900000 fits/,
    })
  })

  it('bound the points of all answers together', () => {
    let shown = 0
    const budget = new PointBudget(1000, (points) => {
      shown = points
    })
    const release = budget.take(600)
    assert.throws(() => budget.take(600), {
      id: 'overloaded',
      retryAfterS: 1,
      message: /600 points are being answered/,
    })
    release()
    release()
    assert.equal(shown, 0)
    budget.take(1000)
    assert.equal(shown, 1000)
  })
})

it('a cursor is what it was made of', () => {
  assert.equal(decodeCursor(encodeCursor('web-17:9100')), 'web-17:9100')
  assert.throws(() => decodeCursor('nonsense'), refusal(/nextCursor/))
})
