import assert from 'node:assert/strict'
import { availableParallelism } from 'node:os'
import { test } from 'node:test'
import { runSeed, type SeedResult } from './run-seed.ts'
import { runSeeds } from './run-seeds.ts'
import { soundVariant, variantNamed } from './variants.ts'

const seedCount = 500

function replayOf({ seed, problems }: SeedResult): string {
  return `seed ${seed}: ${problems.slice(0, 3).join('; ')}\nnpm run simulate -- --seed ${seed}`
}

test(`${seedCount} seeds of faults from agent to reader: exact, nothing final too early, the ring never ahead`, async () => {
  const totals = { seeds: 0, acknowledged: 0, finals: 0, sealed: 0, resealed: 0, dirty: 0, dropped: 0 }
  const wrong: SeedResult[] = []
  const range = { from: 1, count: seedCount, workers: availableParallelism(), variantName: soundVariant.name }
  await runSeeds(range, (result) => {
    totals.seeds++
    totals.acknowledged += result.acknowledged
    totals.finals += result.finals
    for (const what of ['sealed', 'resealed', 'dirty', 'dropped'] as const) totals[what] += result.seals[what]
    if (result.problems.length > 0) wrong.push(result)
    return wrong.length > 0
  })
  assert.deepEqual(wrong.map(replayOf), [])
  const { seeds, acknowledged, finals } = totals
  assert.equal(seeds, seedCount)
  // A run in which nothing arrives would be right too.
  assert.ok(acknowledged > 300_000 && finals > 100_000, `${acknowledged} samples, ${finals} final`)
  // Each step of sealing came to meet late data, and retention something to drop.
  const { sealed, resealed, dirty, dropped } = totals
  assert.ok(sealed > 100 && resealed > 100 && dirty > 10 && dropped > 10, JSON.stringify(totals))
})

test('a topic made anew and filled past a reader that the database holds up is found out, and read from its start', async () => {
  // Where it was seen first; what is drawn there has changed since.
  const first = await runSeed(1619)
  assert.ok(first.problems.length === 0, replayOf(first))
  const variant = variantNamed('positions-trusted') ?? assert.fail('no such variant')
  for (let seed = 1; ; seed++) {
    assert.ok(seed <= 200, 'nobody who trusts the position misses what was filled in before it')
    const { problems } = await runSeed(seed, { variant })
    if (!problems.some((problem) => problem.includes('acknowledged and is lost'))) continue
    const result = await runSeed(seed, { faults: variant.faults ?? {} })
    return assert.ok(result.problems.length === 0, replayOf(result))
  }
})

test('the same seed is the same run, event by event', async () => {
  const lines: string[][] = [[], []]
  const [first, second] = [
    await runSeed(4, { onEvent: (line) => lines[0]?.push(line) }),
    await runSeed(4, { onEvent: (line) => lines[1]?.push(line) }),
  ]
  assert.deepEqual(lines[0], lines[1])
  assert.equal(first.traceHash, second.traceHash)
  assert.ok(first.events > 100, `${first.events} events`)
  assert.notEqual((await runSeed(5)).traceHash, first.traceHash)
})
