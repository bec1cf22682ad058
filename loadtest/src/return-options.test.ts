import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readReturnOptions, returnUsage } from './return-options.ts'

test('a backlog of nearly the retention is taken, what could not be stored or is absurd is not', () => {
  const most = readReturnOptions(['--agents', '10', '--backlog-minutes', '2820'])
  assert.ok(most !== 'help' && most.backlogMinutes === 2_820)
  for (const [args, words] of [
    [['--backlog-minutes', '2821'], /--backlog-minutes 2821: 2820 at most, older samples are refused$/],
    [['--agents', '10000', '--backlog-minutes', '2820'], /these are 112800000 batches, 2000000 may be$/],
    [['--agents', '0'], /--agents 0: must be a whole number above 0$/],
  ] as const) {
    assert.throws(() => readReturnOptions(args), words)
    assert.throws(
      () => readReturnOptions(args),
      (error: Error) => error.message.startsWith(returnUsage),
    )
  }
})
