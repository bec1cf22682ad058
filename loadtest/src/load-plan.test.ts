import assert from 'node:assert/strict'
import { test } from 'node:test'
import { GeneratedFleet } from './generated-fleet.ts'
import {
  agentPhaseMs,
  cellsOf,
  dealAgents,
  expectedTotals,
  firstCellMs,
  firstMinuteMs,
  hasJoined,
  sampleOf,
} from './load-plan.ts'

const fleet = new GeneratedFleet({ hostCount: 1_000, metricCount: 3, seed: 1 })
const plan = { fleet, startMs: 0, cellCount: 4, warmUpCells: 0, workers: 7 }

test('phases are those of our agent', () => {
  // What flushPhaseMs of agent/src/flush-grid.ts gives.
  assert.deepEqual(['host-00000', 'host-00001', 'host-09999'].map(agentPhaseMs), [6_062, 5_868, 6_971])
})

test('every agent is dealt to one worker, in the order of sending, evenly', () => {
  const hands = dealAgents(plan)
  assert.equal(hands.length, 7)
  const dealt = hands.flat().map(({ agent }) => agent)
  assert.deepEqual(
    dealt.toSorted((a, b) => a - b),
    Array.from({ length: 1_000 }, (_, agent) => agent),
  )
  for (const hand of hands) {
    const phases = hand.map(({ phaseMs }) => phaseMs)
    assert.deepEqual(
      phases,
      phases.toSorted((a, b) => a - b),
    )
    assert.ok(hand.length === 142 || hand.length === 143, `${hand.length} agents`)
  }
})

test('totals count every second of every series', () => {
  assert.deepEqual(expectedTotals(plan), { batches: 4_000, samples: 1_000 * 3 * 60 })
})

test('in the warm-up a share of the agents joins at each cell, and stays', () => {
  const warm = { ...plan, cellCount: 1, warmUpCells: 4 }
  assert.deepEqual(cellsOf(warm), [-4, -3, -2, -1, 0])
  const senders = cellsOf(warm).map((cell) =>
    Array.from({ length: 1_000 }, (_, agent) => agent).filter((agent) => hasJoined(warm, { agent, cell })),
  )
  assert.deepEqual(
    senders.map(({ length }) => length),
    [250, 500, 750, 1_000, 1_000],
  )
  for (const [index, earlier] of senders.slice(0, -1).entries()) {
    assert.ok(earlier.every((agent) => senders[index + 1]?.includes(agent)))
  }
  assert.equal(expectedTotals(warm).batches, 3_500)
  assert.equal(firstCellMs({ ...warm, startMs: 60_000 }), 0)
})

test('a sample is spread, without repetition, and no larger than the fleet', () => {
  assert.deepEqual(sampleOf(10, { size: 5 }), [1, 3, 5, 7, 9])
  assert.deepEqual(sampleOf(3, { size: 100 }), [0, 1, 2])
  assert.equal(new Set(sampleOf(10_000, { size: 100 })).size, 100)
})

test('the first minute is whole and leaves the time that was asked for', () => {
  assert.equal(firstMinuteMs(120_000, { leadMs: 0 }), 120_000)
  assert.equal(firstMinuteMs(120_001, { leadMs: 59_999 }), 180_000)
  assert.equal(firstMinuteMs(120_001, { leadMs: 60_000 }), 240_000)
})
