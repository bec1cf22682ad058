import assert from 'node:assert/strict'
import { test } from 'node:test'
import { WindowBudget } from './window-budget.ts'

test('each may use what is free; past the bound each its share, until the sum is within it again', () => {
  const budget = new WindowBudget(1_000)
  const [a, b] = [{}, {}]
  budget.report(a, 900)
  assert.equal(budget.allowance(), 1_000)
  budget.report(b, 200)
  assert.equal(budget.usedBytes, 1_100)
  assert.equal(budget.allowance(), 500)
  budget.report(a, 400)
  assert.equal(budget.usedBytes, 600)
  assert.equal(budget.allowance(), 1_000)
  budget.report(a, 950)
  budget.forget(b)
  assert.equal(budget.usedBytes, 950)
  assert.equal(budget.allowance(), 1_000, 'what a partition that is gone had is free')
})
