import assert from 'node:assert/strict'
import { test } from 'node:test'
import { runSeed, type SeedResult } from './run-seed.ts'
import { variantNamed } from './variants.ts'

const seedCount = 500

function replayOf({ seed, problems }: SeedResult): string {
  return `seed ${seed}: ${problems.slice(0, 3).join('; ')}\nnpm run simulate -- --seed ${seed}`
}

test(`${seedCount} seeds of faults from agent to reader: exact, nothing final too early, the ring never ahead`, async () => {
  let [acknowledged, finals] = [0, 0]
  for (let seed = 1; seed <= seedCount; seed++) {
    const result = await runSeed(seed)
    assert.ok(result.problems.length === 0, replayOf(result))
    acknowledged += result.acknowledged
    finals += result.finals
  }
  // A run in which nothing arrives would be right too.
  assert.ok(acknowledged > 300_000 && finals > 100_000, `${acknowledged} samples, ${finals} final`)
})

test('a topic made anew and filled past a reader that the database holds up is found out, and read from its start', async () => {
  const variant = variantNamed('positions-trusted') ?? assert.fail('no such variant')
  // 1619 found it first; in the others it still shows: who trusts the position never reads what was filled in before it.
  for (const seed of [1619, 33, 38]) {
    const result = await runSeed(seed, seed === 1619 ? {} : { faults: variant.faults ?? {} })
    assert.ok(result.problems.length === 0, replayOf(result))
    if (seed === 1619) continue
    assert.match((await runSeed(seed, { variant })).problems.join('\n'), /acknowledged and is lost/)
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
