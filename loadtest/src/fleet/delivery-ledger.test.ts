import assert from 'node:assert/strict'
import { test } from 'node:test'
import { DeliveryLedger, minuteMs } from './delivery-ledger.ts'

const minute = Date.parse('2026-03-01T10:00:00Z')
const cell = (index: number): number => minute + index * 15_000

test('knows which cells of a minute were acknowledged, and tried, by when', () => {
  const ledger = new DeliveryLedger()
  ledger.attempt(1, cell(0), { nowMs: 1_000 })
  ledger.attempt(1, cell(2), { nowMs: 2_000 })
  ledger.attempt(1, cell(4), { nowMs: 2_000 })
  ledger.acknowledge(1, cell(2), { nowMs: 3_000 })
  assert.equal(ledger.attemptedCells(1, minute, { beforeMs: 1_999 }), 0b0001)
  assert.equal(ledger.attemptedCells(1, minute, { beforeMs: 2_000 }), 0b0101)
  assert.equal(ledger.acknowledgedCells(1, minute, { beforeMs: 3_000 }), 0)
  assert.equal(ledger.acknowledgedCells(1, minute, { beforeMs: 3_001 }), 0b0100)
  assert.equal(ledger.attemptedCells(1, minute + minuteMs, { beforeMs: 2_000 }), 0b0001)
  assert.equal(ledger.attemptedCells(2, minute, { beforeMs: 9_000 }), 0)
})

test('counts a batch once, however often it is sent', () => {
  const ledger = new DeliveryLedger()
  for (const nowMs of [1_000, 2_000]) ledger.attempt(1, cell(0), { nowMs })
  ledger.fail('503', { nowMs: 5_000 })
  ledger.attempt(1, cell(1), { nowMs: 3_000 })
  for (const nowMs of [4_000, 5_000]) ledger.acknowledge(1, cell(0), { nowMs })
  const { troubledSeconds, unavailableSeconds, ...totals } = ledger.totals()
  assert.deepEqual(totals, { acknowledged: 1, refused: 0, unknown: 1, failedTries: { 503: 1 } })
  assert.equal(ledger.acknowledgedCells(1, minute, { beforeMs: 4_001 }), 1, 'since the first time')
})

test('counts the seconds in which a try failed, and those in which nothing else happened', () => {
  const ledger = new DeliveryLedger()
  for (const index of [0, 1]) ledger.attempt(1, cell(index), { nowMs: 1_000 })
  for (const nowMs of [2_000, 2_999, 3_500, 7_000]) ledger.fail('503', { nowMs })
  ledger.acknowledge(1, cell(0), { nowMs: 3_999 })
  ledger.acknowledge(1, cell(1), { nowMs: 5_000 })
  const { troubledSeconds, unavailableSeconds } = ledger.totals()
  assert.deepEqual({ troubledSeconds, unavailableSeconds }, { troubledSeconds: 3, unavailableSeconds: 2 })
})
