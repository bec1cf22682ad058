import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readLoadtestOptions } from './loadtest-options.ts'

test('without arguments: the promised load against a process of its own', () => {
  assert.deepEqual(readLoadtestOptions([]), {
    agents: 10_000,
    metrics: 10,
    minutes: 3,
    warmUpMinutes: 1,
    isDistributed: false,
    collectors: undefined,
    queries: undefined,
    sampleAgents: 100,
    latenessMs: 10_000,
    pids: [],
    report: undefined,
  })
})

test('lists of URLs and of processes', () => {
  const options = readLoadtestOptions([
    '--collectors=http://127.0.0.1:1/,http://127.0.0.1:2',
    '--query=http://127.0.0.1:3',
    '--pids=kafka=12,aggregator=13,aggregator=14',
  ])
  assert.ok(options !== 'help')
  assert.deepEqual(options.collectors, ['http://127.0.0.1:1', 'http://127.0.0.1:2'])
  assert.deepEqual(options.queries, ['http://127.0.0.1:3'])
  assert.deepEqual(options.pids, [
    { name: 'kafka', pid: 12 },
    { name: 'aggregator', pid: 13 },
    { name: 'aggregator', pid: 14 },
  ])
})

test('what makes no sense is refused by name', () => {
  assert.throws(() => readLoadtestOptions(['--agents', '0']), /--agents 0: a whole number of at least 1/)
  assert.throws(
    () => readLoadtestOptions(['--collectors', 'localhost:7070']),
    /--collectors localhost:7070: a base URL/,
  )
  assert.throws(() => readLoadtestOptions(['--query', 'http://127.0.0.1:1']), /--query needs --collectors/)
  assert.throws(() => readLoadtestOptions(['--pids', 'kafka']), /--pids kafka: name=pid/)
  assert.throws(() => readLoadtestOptions(['--agent', '3']), /Unknown option '--agent'/)
})
