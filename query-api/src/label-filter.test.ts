/** Label filters: how they are written, what they mean, and how one that is wrong is refused. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { labelParameters, matchesLabels, matchesPattern, readLabelFilters } from './label-filter.ts'
import { Parameters } from './parameters.ts'

const filtersOf = (query: Record<string, string | string[]>) => readLabelFilters(new Parameters(query, labelParameters))
const refusal = (message: RegExp) => ({ id: 'parameter-invalid', status: 400, message })

describe('label filters', () => {
  const matching: [string[], Record<string, string>, boolean][] = [
    [['a:1', 'a:2', 'b:3'], { a: '2', b: '3', c: '4' }, true],
    [['a:1', 'a:2', 'b:3'], { a: '2' }, false],
    [['toString:x'], {}, false],
    [['a:!1'], { a: '2' }, true],
    [['a:!1'], { a: '1' }, false],
    [['a:!1'], {}, true],
    [['a:!1', 'a:!2'], { a: '2' }, false],
    [['a:s*', 'a:!sd*'], { a: 'sr0' }, true],
    [['a:s*', 'a:!sd*'], { a: 'sda' }, false],
    [['a:*'], { a: 'x' }, true],
    [['a:*'], {}, false],
    [['a:!*'], {}, true],
    [['a:!*'], { a: 'x' }, false],
    [['a:x:y,z'], { a: 'x:y,z' }, true],
    [['a:\\*'], { a: '*' }, true],
    [['a:\\*'], { a: 'x' }, false],
    [['a:\\!x'], { a: '!x' }, true],
    [['a:!!x'], { a: '!x' }, false],
    [['a:\\\\'], { a: '\\' }, true],
  ]
  for (const [label, labels, expected] of matching) {
    it(`${label.join(' & ')} ${expected ? 'has' : 'has not'} ${JSON.stringify(labels)}`, () => {
      assert.equal(matchesLabels(filtersOf({ label }), labels), expected)
    })
  }

  it('in the older form are exact, and are alternatives to the others', () => {
    const filters = filtersOf({ 'label.a': ['*', 'x,y'], label: 'a:z*' })
    const values = ['*', 'x,y', 'zz', 'q', '!']
    assert.deepEqual(
      values.filter((a) => matchesLabels(filters, { a })),
      ['*', 'x,y', 'zz'],
    )
  })

  it('are refused with how to write them', () => {
    assert.throws(() => filtersOf({ label: 'cpu.mode' }), refusal(/write name:value/))
    assert.throws(() => filtersOf({ label: ':x' }), refusal(/write name:value/))
    assert.throws(() => filtersOf({ label: '__proto__:x' }), refusal(/does not name a label/))
    assert.throws(() => filtersOf({ label: 'a:' }), refusal(/1 to 1024/))
    assert.throws(() => filtersOf({ label: 'a:!' }), refusal(/1 to 1024/))
    assert.throws(() => filtersOf({ label: 'a:x\0' }), refusal(/without NUL/))
    assert.throws(() => filtersOf({ label: 'a:C:\\x' }), refusal(/stands before/))
    assert.throws(() => filtersOf({ label: 'a:x\\' }), refusal(/stands before/))
    assert.throws(() => filtersOf({ 'label.__proto__': 'x' }), refusal(/does not name a label/))
    assert.throws(() => filtersOf({ 'label.a': 'x\0' }), refusal(/without NUL/))
  })
})

describe('a pattern', () => {
  it('matches as a regular expression does', () => {
    const text = fc.string({ unit: fc.constantFrom('a', 'b', '.'), maxLength: 8 })
    const parts = fc.array(fc.string({ unit: fc.constantFrom('a', 'b', '.'), maxLength: 3 }), {
      minLength: 1,
      maxLength: 4,
    })
    fc.assert(
      fc.property(parts, text, (pattern, value) => {
        const expected = new RegExp(`^${pattern.map((part) => part.replaceAll('.', '\\.')).join('.*')}$`)
        assert.equal(matchesPattern(pattern, value), expected.test(value))
      }),
      { numRuns: 2000 },
    )
  })
})
