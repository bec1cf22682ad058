import assert from 'node:assert/strict'
import { test } from 'node:test'
import { runSeed } from './run-seed.ts'
import { brokenVariants, formerVariants } from './variants.ts'

const variantSeedsMax = 200

for (const variant of [...brokenVariants, ...formerVariants]) {
  test(`an aggregator is caught in which ${variant.mistake}`, async () => {
    for (let seed = 1; seed <= variantSeedsMax; seed++) {
      if ((await runSeed(seed, { variant })).problems.length > 0) return
    }
    assert.fail(`${variant.name} survives ${variantSeedsMax} seeds`)
  })
}
