import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type ChaosEnd, verdictOf } from './chaos-verdict.ts'

const end: ChaosEnd = {
  ...{ isJudged: true, hasStopped: true, problems: [], faultCount: 7, seed: 3, folder: '/f', reportFailure: undefined },
}

test('an exact run is exact, with an exit code of its own when only its report is missing', () => {
  assert.deepEqual(verdictOf(end), { exitCode: 0, line: 'exact, after 7 faults (seed 3)' })
  assert.deepEqual(verdictOf({ ...end, reportFailure: 'no space' }), {
    exitCode: 3,
    line: 'exact, after 7 faults (seed 3); the report could not be written: no space',
  })
})

test('what is wrong, not finished or not stopped is 1, each in its words', () => {
  for (const [changed, words] of [
    [{ problems: ['a'] }, /^NOT EXACT, 1 problem \(seed 3\); logs and data are kept in \/f$/],
    [{ problems: ['a'], reportFailure: 'no space' }, /^NOT EXACT, 1 problem .*report could not be written: no space/],
    [{ isJudged: false }, /^not finished, 0 problems/],
    [{ hasStopped: false }, /^every minute is exact, but not all of it stopped/],
  ] as const) {
    const { exitCode, line } = verdictOf({ ...end, ...changed })
    assert.equal(exitCode, 1)
    assert.match(line, words)
  }
})
