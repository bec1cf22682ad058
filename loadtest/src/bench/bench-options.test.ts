import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readBenchOptions } from './bench-options.ts'

test('without options the embedded process is measured beside its peers', () => {
  assert.deepEqual(readBenchOptions([]), {
    ...{ hosts: 200, metrics: 200, minutes: 5, speed: 10, rounds: 2, form: 'embedded' },
    ...{ withPeers: true, withStages: true, profile: undefined, sustainMinutes: undefined },
  })
})

test('a sustained rate is that of the fleet, times the speed of its clock', () => {
  const options = readBenchOptions(['--sustain', '10', '--rate', '1000000', '--hosts', '100'])
  assert.ok(options !== 'help')
  assert.equal(options.speed * options.hosts * options.metrics, 1_000_000)
  assert.equal(options.sustainMinutes, 10)
  assert.equal(options.withPeers, false)
})

test('the distributed form runs in real time', () => {
  const options = readBenchOptions(['--distributed'])
  assert.ok(options !== 'help')
  assert.deepEqual([options.form, options.speed], ['distributed', 1])
})

test('what cannot be is refused with what to do', () => {
  const refused: readonly (readonly [string[], RegExp])[] = [
    [['--hosts', '0'], /--hosts 0: a whole number above 0 is needed/],
    [['--minutes', '1.5'], /--minutes 1\.5/],
    [['--distributed', '--speed', '10'], /use more --hosts instead/],
    [['--distributed', '--sustain', '1'], /for the embedded process/],
    [['--rate', '5'], /belongs to --sustain/],
    [['--sustain', '1', '--minutes', '5'], /--minutes has no effect/],
  ]
  for (const [args, message] of refused) assert.throws(() => readBenchOptions(args), message)
})
