import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readDistributedOptions } from './distributed-options.ts'

test('without options it runs until it is stopped, with nothing broken', () => {
  assert.deepEqual(readDistributedOptions([]), {
    hosts: 50,
    metrics: 20,
    collectors: 2,
    aggregators: 3,
    queryApis: 2,
    historyHours: 0,
    minutes: undefined,
    mustCheck: false,
    report: undefined,
    logs: undefined,
    mustKillOne: false,
    pauseS: 0,
    mustStopRegistry: false,
    mustFlushRedis: false,
  })
})

test('faults and the check belong to a run that ends', () => {
  for (const flag of [['--check'], ['--kill-one'], ['--pause-one', '60'], ['--stop-registry'], ['--flush-redis']]) {
    assert.throws(() => readDistributedOptions(flag), /need --minutes/, flag[0])
    assert.ok(readDistributedOptions([...flag, '--minutes', '5']))
  }
})

test('one aggregator must be left', () => {
  const faults = ['--minutes', '5', '--kill-one', '--pause-one', '60']
  assert.throws(() => readDistributedOptions([...faults, '--aggregators', '2']), /one must be left when 2 are/)
  assert.ok(readDistributedOptions([...faults, '--aggregators', '3']))
})

test('what is wrong is said, with the usage', () => {
  assert.throws(
    () => readDistributedOptions(['--hosts', '0']),
    /^Error: npm run.*\n\n--hosts 0: must be a whole number above 0$/s,
  )
  assert.throws(() => readDistributedOptions(['--minutes', '1.5']), /--minutes 1.5/)
  assert.throws(() => readDistributedOptions(['--agents', '5']), /Unknown option '--agents'/)
  assert.equal(readDistributedOptions(['--help']), undefined)
})
