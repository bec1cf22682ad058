/** One metric across servers, put together: against a naive model, in slabs of any size. */
import assert from 'node:assert/strict'
import { it } from 'node:test'
import { aggregations } from '@minutely/schema/query-wire'
import fc from 'fast-check'
import { GivenDistribution } from './distribution.ts'
import { StepMatrix } from './step-matrix.ts'
import { StepSummary } from './step-summary.ts'
import { alignRange } from './time-range.ts'

const minuteMs = 60_000
const stepCount = 5
const range = alignRange({ fromMs: 0, toMs: stepCount * minuteMs }, minuteMs)
/** Integers, so that any order adds up to the same. */
const cell = fc.option(fc.array(fc.integer({ min: -100, max: 100 }), { minLength: 1, maxLength: 4 }), { freq: 3 })
const row = fc.array(cell, { minLength: stepCount, maxLength: stepCount })
/** Servers of one to three series. */
const servers = fc.array(fc.array(row, { minLength: 1, maxLength: 3 }), { maxLength: 6 })

type Row = readonly (readonly number[] | null)[]

function matrixOf(rows: readonly Row[], fromStep: number, toStep: number): StepMatrix {
  const matrix = new StepMatrix(
    rows.length,
    alignRange({ fromMs: fromStep * minuteMs, toMs: toStep * minuteMs }, minuteMs),
  )
  rows.forEach((cells, index) => {
    cells.forEach((values, step) => {
      if (values === null) return
      const sum = values.reduce((a, b) => a + b)
      const minute = { min: Math.min(...values), max: Math.max(...values), sum, count: values.length }
      matrix.add(index, step * minuteMs, minute)
    })
  })
  return matrix
}

it('a summary is what its definition says, whatever slabs it is fed in (property)', () => {
  const options = fc.record({ by: fc.constantFrom(...aggregations), slab: fc.integer({ min: 1, max: stepCount }) })
  fc.assert(
    fc.property(servers, options, (model, { by, slab }) => {
      const rows = model.flat()
      const units = [0]
      for (const series of model) units.push((units.at(-1) as number) + series.length)
      const bounds = [-50, 0, 50]
      const distribution = new GivenDistribution(range.stepCount, bounds)
      const summary = new StepSummary(range.stepCount, { by, quantiles: [0, 0.5, 1], distribution })
      for (let from = 0; from < stepCount; from += slab) {
        summary.fold(matrixOf(rows, from, Math.min(stepCount, from + slab)), units, from)
      }
      for (let step = 0; step < stepCount; step++) {
        const samples = model.map((series) => series.flatMap((cells) => cells[step] ?? []))
        const values = samples.filter((some) => some.length > 0).map((some) => aggregate(some, by))
        for (const aggregation of aggregations) {
          const all = samples.flat()
          assert.equal(summary.samples.value(aggregation, step), all.length === 0 ? null : aggregate(all, aggregation))
          const across = summary.across.value(aggregation, step)
          if (values.length === 0) assert.equal(across, null)
          else assert.ok(Math.abs((across as number) - aggregate(values, aggregation)) < 1e-9)
        }
        const sorted = values.toSorted((a, b) => a - b)
        const [least, median, most] = summary.quantiles.map((column) => column[step] as number)
        assert.equal(least, sorted[0] ?? Number.NaN)
        assert.equal(most, sorted.at(-1) ?? Number.NaN)
        const middle = [Math.floor((sorted.length - 1) / 2), Math.ceil((sorted.length - 1) / 2)]
        if (sorted.length > 0) {
          const expected = middle.reduce((sum, at) => sum + (sorted[at] as number), 0) / 2
          assert.ok(Math.abs((median as number) - expected) < 1e-9)
        }
        const { below, counts, above } = distribution.columns()
        const total = [below, ...counts, above].reduce((sum, column) => sum + (column[step] as number), 0)
        assert.equal(total, values.length)
      }
    }),
    { numRuns: 500 },
  )
})

function aggregate(values: readonly number[], by: (typeof aggregations)[number]): number {
  const sum = values.reduce((a, b) => a + b, 0)
  const of = { min: Math.min(...values), max: Math.max(...values), avg: sum / values.length, sum, count: values.length }
  // There is only one zero here.
  return of[by] + 0
}
