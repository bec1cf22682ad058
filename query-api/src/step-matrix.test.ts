/** Merging minutes into steps, counting bits, ranking and quantiles: against the naive way of doing the same. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { popCount } from './minute-copy.ts'
import { csvField, encodeAnswer, etagOf, provisionalFromMs, type RangeAnswer } from './range-answer.ts'
import { quantileColumn, rank, totalsOf } from './read-metric.ts'
import { StepMatrix } from './step-matrix.ts'
import { alignRange } from './time-range.ts'

const epochMs = Date.UTC(2026, 0, 5)
const range = alignRange({ fromMs: epochMs, toMs: epochMs + 12 * 60_000 }, 180_000)
const decimals = fc.integer({ min: -1_000_000, max: 1_000_000 }).map((scaled) => scaled / 1000)
const minutes = fc.uniqueArray(
  fc.record({
    row: fc.nat(2),
    minute: fc.integer({ min: -1, max: 12 }),
    values: fc.array(decimals, { minLength: 1, maxLength: 5 }),
  }),
  { selector: ({ row, minute }) => `${row} ${minute}` },
)
/** Exact: the values are thousandths. */
const exactSum = (values: readonly number[]) => values.reduce((sum, value) => sum + Math.round(value * 1000), 0) / 1000

describe('a step matrix', () => {
  it('holds what a naive fold over all samples of a step gives, in any order', () => {
    fc.assert(
      fc.property(minutes, (list) => {
        const matrix = new StepMatrix(3, range)
        for (const { row, minute, values } of list) {
          const rolled = {
            min: Math.min(...values),
            max: Math.max(...values),
            sum: exactSum(values),
            count: values.length,
          }
          matrix.add(row, epochMs + minute * 60_000, rolled)
        }
        for (let row = 0; row < 3; row++) {
          for (let step = 0; step < range.stepCount; step++) {
            const inStep = list.filter((one) => one.row === row && one.minute >= step * 3 && one.minute < step * 3 + 3)
            const samples = inStep.flatMap(({ values }) => values)
            const slot = row * range.stepCount + step
            const got = (['min', 'max', 'sum', 'count', 'avg'] as const).map((name) => matrix.value(name, slot))
            const sum = exactSum(samples)
            const expected = [Math.min(...samples), Math.max(...samples), sum, samples.length, sum / samples.length]
            // -0 and 0 are the same answer.
            assert.deepEqual(
              got.map((value) => value && value),
              samples.length === 0 ? expected.map(() => null) : expected.map((value) => value && value),
            )
          }
        }
      }),
    )
  })
})

describe('popCount', () => {
  it('counts bits', () => {
    fc.assert(
      fc.property(fc.integer(), (bits) =>
        assert.equal(popCount(bits), (bits >>> 0).toString(2).replaceAll('0', '').length),
      ),
    )
  })
})

function answerOf(matrix: StepMatrix): RangeAnswer {
  const rows = Array.from({ length: matrix.rowCount }, (_, row) => ({ metricId: `m${row}`, labels: { a: '=x"y",\n' } }))
  return { range, completeThroughMs: epochMs + 400_000, aggregations: ['min', 'avg'], rows, matrix, release: () => {} }
}

describe('an answer', () => {
  it('is valid JSON of any size, with null for gaps', () => {
    const matrix = new StepMatrix(2000, range)
    matrix.add(1, epochMs, { min: 1, max: 2, sum: 3, count: 2 })
    const pieces = [...encodeAnswer(answerOf(matrix), 'application/json')]
    assert.ok(pieces.length > 1)
    const answer = JSON.parse(pieces.join(''))
    assert.equal(answer.series.length, 2000)
    assert.deepEqual(answer.series[1], {
      metricId: 'm1',
      labels: { a: '=x"y",\n' },
      min: [1, null, null, null],
      avg: [1.5, null, null, null],
    })
    const empty = [...encodeAnswer(answerOf(new StepMatrix(0, range)), 'application/json')].join('')
    assert.deepEqual(JSON.parse(empty).series, [])
  })

  it('quotes CSV fields, and starts none with what a spreadsheet would run', () => {
    const matrix = new StepMatrix(1, range)
    matrix.add(0, epochMs, { min: -1, max: 2, sum: 3, count: 2 })
    const text = [...encodeAnswer(answerOf(matrix), 'text/csv')].join('')
    assert.equal(
      text,
      `metricId,labels,timeMs,provisional,min,avg\r\nm0,"{""a"":""=x\\""y\\"",\\n""}",${epochMs},false,-1,1.5\r\n`,
    )
    assert.equal(csvField('a\rb'), '"a\rb"')
  })

  it('has an ETag over each of its numbers', () => {
    const tags = new Set<string>()
    for (const values of [
      { min: 1, max: 2, sum: 3, count: 2 },
      { min: 0, max: 2, sum: 3, count: 2 },
      { min: 1, max: 2, sum: 3, count: 3 },
    ]) {
      const matrix = new StepMatrix(1, range)
      matrix.add(0, epochMs, values)
      tags.add(etagOf(answerOf(matrix), 'application/json'))
    }
    assert.equal(tags.size, 3)
  })

  it('is provisional from the first step that is not complete', () => {
    const from = (completeMs: number) => provisionalFromMs(range, epochMs + completeMs)
    assert.equal(from(-1), epochMs)
    assert.equal(from(0), epochMs)
    assert.equal(from(179_999), epochMs)
    assert.equal(from(180_000), epochMs + 180_000)
    assert.equal(from(720_000), null)
  })
})

describe('across servers', () => {
  const matrix = new StepMatrix(4, range)
  const put = (row: number, step: number, value: number) =>
    matrix.add(row, epochMs + step * 180_000, { min: value, max: value, sum: value, count: 1 })
  put(0, 0, 1)
  put(0, 1, 9)
  put(1, 0, 5)
  put(3, 0, 3)
  const rows = [0, 1, 2, 3].map((n) => ({ seriesId: n, serverId: `s${n}`, tag: 0, metricId: 'm', labels: {} }))

  it('series without data come last in either direction', () => {
    const totals = totalsOf(matrix)
    assert.deepEqual(rank(rows, { totals, order: { by: 'max', descending: true } }), [0, 1, 3, 2])
    assert.deepEqual(rank(rows, { totals, order: { by: 'max', descending: false } }), [3, 1, 0, 2])
    assert.deepEqual(rank(rows, { totals, order: { by: 'avg', descending: true } }), [0, 1, 3, 2])
    assert.deepEqual(matrix.pick([3, 0]).column(1, 'max'), [1, 9, null, null])
  })

  it('quantiles are over the series that have data', () => {
    assert.deepEqual(quantileColumn(matrix, 0.5).avg, [3, 9, null, null])
    assert.deepEqual(quantileColumn(matrix, 0.25).avg, [2, 9, null, null])
    assert.deepEqual(quantileColumn(matrix, 1).avg, [5, 9, null, null])
  })
})
