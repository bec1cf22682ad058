import assert from 'node:assert/strict'
import { test } from 'node:test'
import { runSeed } from './run-seed.ts'
import { strongestFirst } from './strongest-first.ts'
import { variantNamed } from './variants.ts'

test('what is lost comes before what is doubled, and both before what a reader saw', () => {
  const reader =
    '10:00:01.000 a reader saw: web-0 cpu: final by the ring without second 3, acknowledged at 10:00:00.000'
  const lost = 'web-0 cpu, minute 2026-01-01T10:00: second 3 was acknowledged and is lost'
  const doubled =
    'web-0 cpu, minute 2026-01-01T10:00: sum 4, min 1, max 1; of the 1 seen seconds they are 2, 1, 1, something is doubled'
  assert.deepEqual(strongestFirst([reader, doubled, lost]), [lost, doubled, reader])
})

test('what the simulation says of a variant that loses samples is recognised', async () => {
  const variant = variantNamed('commit-before-store')
  assert.ok(variant)
  for (let seed = 1; seed <= 300; seed++) {
    const { problems } = await runSeed(seed, { variant })
    if (!problems.some((problem) => problem.includes('is lost'))) continue
    assert.match(strongestFirst(problems)[0] ?? '', /is lost$/)
    return
  }
  assert.fail('no seed of 300 lost anything')
})
