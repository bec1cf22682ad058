import assert from 'node:assert/strict'
import { test } from 'node:test'
import { hostileUsage, readHostileOptions } from './hostile-options.ts'

test('seconds are taken, 20 unless given', () => {
  assert.deepEqual(readHostileOptions([]), { seconds: 20 })
  assert.deepEqual(readHostileOptions(['--seconds', '60']), { seconds: 60 })
  assert.equal(readHostileOptions(['-h']), 'help')
})

test('junk is refused, with the usage before what is wrong', () => {
  for (const [args, words] of [
    [['60'], /Unexpected argument '60'/],
    [['--seconds', '1e3'], /--seconds 1e3: must be a whole number above 0$/],
    [['--seconds', '0'], /--seconds 0: must be a whole number above 0$/],
    [['--hours', '1'], /--hours/],
  ] as const) {
    assert.throws(() => readHostileOptions(args), words)
    assert.throws(
      () => readHostileOptions(args),
      (error: Error) => error.message.startsWith(hostileUsage),
    )
  }
})
