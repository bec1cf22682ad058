import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type ChaosOptions, readChaosCommand } from './chaos-options.ts'

const nowMs = 1_795_000_123_456
const optionsOf = (args: string[]): ChaosOptions => {
  const command = readChaosCommand(args, { nowMs })
  assert.ok(command.kind === 'run')
  return command.options
}

test('without options it breaks the distributed form for two minutes, by a seed of the clock', () => {
  const { minutes, seed, isEmbedded, only, pauseMs } = optionsOf([])
  assert.deepEqual(
    { minutes, seed, isEmbedded, only, pauseMs },
    {
      ...{ minutes: 2, seed: 123_456, isEmbedded: false },
      ...{ only: undefined, pauseMs: 25_000 },
    },
  )
})

test('long runs pause for 90 s, unless another time is given', () => {
  assert.equal(optionsOf(['--minutes', '30']).pauseMs, 90_000)
  assert.equal(optionsOf(['--minutes', '30', '--pause', '15']).pauseMs, 15_000)
})

test('three brokers, and outages of a given length', () => {
  const { brokers, outageMs } = optionsOf([])
  assert.deepEqual({ brokers, outageMs }, { brokers: 1, outageMs: undefined })
  const given = optionsOf(['--brokers', '3', '--minutes', '14', '--outage', '600'])
  assert.deepEqual([given.brokers, given.outageMs], [3, 600_000])
})

test('kinds, parts of minutes and the embedded form are taken', () => {
  const { minutes, only, isEmbedded } = optionsOf(['--embedded', '--minutes', '0.5', '--only', 'a, b'])
  assert.deepEqual({ minutes, only, isEmbedded }, { minutes: 0.5, only: ['a', 'b'], isEmbedded: true })
  assert.deepEqual(readChaosCommand(['--list', '--embedded'], { nowMs }), { kind: 'list', isEmbedded: true })
  assert.deepEqual(readChaosCommand(['-h'], { nowMs }), { kind: 'help' })
})

test('what is wrong is said, with the usage', () => {
  for (const [args, words] of [
    [['--minutes', '0'], /--minutes 0: must be a number above 0/],
    [['--hosts', '1.5'], /--hosts 1.5: must be a whole number/],
    [['--brokers', '2'], /--brokers 2: there are 1 or 3/],
    [['--outage', '0'], /--outage 0/],
    [['--aggregators', '2'], /two may be broken at a time/],
    [['--seed', '-1'], /--seed -1: must be a whole number above 0$/],
    [['--minutes', '-1'], /--minutes -1: must be a number above 0$/],
    [['--minutes', '13', '--outage', '600'], /--outage 600 takes --minutes 14 at least, not 13$/],
    [['--pause', '120'], /--pause 120: must be below the 120 s of the run$/],
    [['--embedded', '--brokers', '3'], /--embedded is one process: --brokers would have no effect$/],
    [['--embedded', '--aggregators', '3', '--outage', '9'], /--aggregators, --outage would have no effect$/],
    [['--many'], /--many/],
  ] as const) {
    assert.throws(() => readChaosCommand([...args], { nowMs }), words)
    assert.throws(() => readChaosCommand([...args], { nowMs }), /^Error: npm run chaos -- \[options\]/)
  }
})
