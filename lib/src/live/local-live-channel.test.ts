import assert from 'node:assert/strict'
import { test } from 'node:test'
import { liveChannelContract, sourceOf } from './live-channel-contract.ts'
import { LocalLiveChannel } from './local-live-channel.ts'

liveChannelContract('local', {
  create: async () => {
    const channel = new LocalLiveChannel()
    return { writer: channel, reader: channel }
  },
})

test('the one process knows through when all is complete, while its aggregator runs', () => {
  const channel = new LocalLiveChannel()
  channel.connect(sourceOf(() => []))
  assert.equal(channel.completeThroughMs(), 60_000)
  channel.connect(undefined)
  assert.equal(channel.completeThroughMs(), 0)
})
