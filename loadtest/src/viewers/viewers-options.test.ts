import assert from 'node:assert/strict'
import { it } from 'node:test'
import { readViewersOptions } from './viewers-options.ts'

it('are a thousand viewers for two minutes unless told otherwise', () => {
  assert.deepEqual(readViewersOptions([]), {
    viewers: 1000,
    minutes: 2,
    servers: 200,
    metrics: 50,
    isDistributed: false,
    report: undefined,
  })
  assert.equal(readViewersOptions(['--help']), 'help')
})

it('say what is wrong below the usage', () => {
  assert.throws(() => readViewersOptions(['--viewers', '9']), /npm run bench:viewers[\s\S]*--viewers 9: must be/)
  assert.throws(() => readViewersOptions(['--minute', '9']), /Unknown option '--minute'/)
})
