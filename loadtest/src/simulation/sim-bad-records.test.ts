import assert from 'node:assert/strict'
import { test } from 'node:test'
import { drawFaultPlan, type FaultPlan } from './fault-plan.ts'
import { SimRun } from './run-seed.ts'
import { nameOf } from './sim-log-storage.ts'

const seedCount = 5
const bad = { deadlyRecords: 2, poisonRecords: 3 }

/** Hosts and counts as drawn, and nothing that goes wrong but the given. */
function calmBut(seed: number, faults: Partial<FaultPlan>): FaultPlan {
  const calm = { appendFails: 0, appendSlow: 0, readFails: 0, statementFails: 0, commitAnswerLost: 0, statementSlow: 0 }
  const awake = { aggregatorCrashes: 0, aggregatorPauses: 0, rebalances: 0, storeOutages: 0, storeRewinds: 0 }
  const kept = { retentionOverruns: 0, topicsMadeAnew: 0 }
  const plan = drawFaultPlan(seed)
  return { ...plan, ...calm, ...awake, ...kept, partitionCountLater: plan.partitionCount, ...faults }
}

test('each record that nobody can fold is set aside once, with where and why, and nothing else is', async () => {
  for (let seed = 1; seed <= seedCount; seed++) {
    const run = new SimRun(seed, { faults: calmBut(seed, { ...bad, aggregatorCount: 1, deadlyRecords: 0 }) })
    const { problems, acknowledged } = await run.toItsEnd()
    assert.deepEqual(problems, [], `seed ${seed}`)
    assert.ok(acknowledged > 0)
    const places = run.storage.letters.map((letter) => `${nameOf(letter)} ${letter.position}`)
    assert.equal(places.length, bad.poisonRecords, `seed ${seed}: ${places}`)
    assert.equal(new Set(places).size, places.length)
    assert.ok(run.storage.letters.every(({ reason }) => reason === 'undecodable' || reason === 'foreign'))
  }
})

test('a record that ends its readers has ended two or three when it is set aside', async () => {
  for (let seed = 1; seed <= seedCount; seed++) {
    const run = new SimRun(seed, { faults: calmBut(seed, { deadlyRecords: 1, poisonRecords: 0, aggregatorCount: 1 }) })
    const { problems } = await run.toItsEnd()
    assert.deepEqual(problems, [], `seed ${seed}`)
    const deaths = run.badRecords.deathCount
    assert.ok(deaths === 2 || deaths === 3, `seed ${seed}: ${deaths} deaths`)
    const [letter, ...others] = run.storage.letters
    assert.deepEqual([letter?.reason, others.length], ['crashes-reader', 0], `seed ${seed}`)
    assert.match(letter?.detail ?? '', /ended each of 3 processes that folded it alone/)
  }
})
