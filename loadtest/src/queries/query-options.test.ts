import assert from 'node:assert/strict'
import { test } from 'node:test'
import { queryUsage, readQueryOptions } from './query-options.ts'

test('sizes, questions and what to skip are taken', () => {
  const { servers, n, only, skip } = readQueryOptions([
    '--servers',
    '3',
    '--only',
    '1,4',
    '--skip',
    'prometheus',
  ]) as Exclude<ReturnType<typeof readQueryOptions>, 'help'>
  assert.deepEqual([servers, n, only, skip], [3, 200, [1, 4], ['prometheus']])
  assert.equal(readQueryOptions(['--help']), 'help')
})

test('junk is refused, with the usage before what is wrong', () => {
  for (const [args, words] of [
    [['--n', '0'], /--n 0: must be a whole number above 0$/],
    [['--skip', 'influx'], /--skip influx: there are victoria-metrics and prometheus$/],
    [['--only', '1,x'], /--only x/],
    [['5'], /Unexpected argument '5'/],
  ] as const) {
    assert.throws(
      () => readQueryOptions(args),
      (error: Error) => error.message.startsWith(queryUsage) && words.test(error.message),
    )
  }
})
