/** What a feed passes on, and when it calls the minutes of its server complete. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { LocalLiveChannel } from '@minutely/lib/live/local-live-channel'
import { minuteMs } from '@minutely/schema/limits'
import type { LiveMinute } from '@minutely/schema/query-wire'
import { ServerFeed } from './server-feed.ts'

const server = { tenantId: 'default', serverId: 'web-1' }
const at = (minute: number): number => minute * minuteMs

/** One that can be lost, as a connection to Redis can. */
class Channel extends LocalLiveChannel {
  override connectionId: number | undefined = 1
}

/** Two partitions: of `a` and of `b`; a part's completeThroughMs is its partition's. */
function part(minute: number, metricId: 'a' | 'b', provisional: boolean, count = 1): LiveMinute {
  const series = [{ metricId, labels: {}, min: 1, max: 1, avg: 1, sum: count, count }]
  return { serverId: 'web-1', minuteMs: at(minute), provisional, completeThroughMs: at(minute + 5), series }
}

function follow(channel = new Channel()) {
  const feed = new ServerFeed(server, channel)
  const told: string[] = []
  feed.add((minute) => {
    const names = minute.series.map(({ metricId }) => metricId).join('')
    told.push(
      `${minute.minuteMs / minuteMs} ${names} ${minute.provisional ? 'open' : 'closed'} ${feed.settledMs / minuteMs}`,
    )
    assert.equal(minute.completeThroughMs, feed.settledMs)
  })
  feed.startFrom(at(10))
  return { channel, feed, told, publish: (minute: LiveMinute) => channel.publish(server, minute) }
}

describe('a feed', () => {
  it('settles a minute when each series that was shown open was shown closed, whatever a partition says', () => {
    const { feed, told, publish } = follow()
    publish(part(10, 'a', true))
    publish(part(10, 'b', true))
    publish(part(10, 'a', false))
    assert.equal(feed.judge(at(10)), 'settled')
    assert.equal(feed.judge(at(11)), 'wait')
    publish(part(10, 'b', false))
    assert.equal(feed.settledMs, at(10))
    assert.equal(feed.judge(at(11)), 'settled')
    assert.equal(feed.settledMs, at(11))
    assert.deepEqual(told, ['10 a open 10', '10 b open 10', '10 a closed 10', '10 b closed 10'])
  })

  it('has what did not come by the next time read from Postgres', () => {
    const { feed, told, publish } = follow()
    publish(part(10, 'a', true))
    assert.deepEqual([feed.judge(at(11)), feed.judge(at(11))], ['wait', 'read'])
    feed.passStored([part(9, 'a', false), part(10, 'a', false), part(11, 'b', true)], {
      completeThroughMs: at(11),
      connectionId: 1,
    })
    assert.deepEqual(told.slice(1), ['10 a closed 11', '11 b open 11'])
    assert.equal(feed.judge(at(11)), 'settled')
  })

  it('has a minute read of which nothing came, or less than of the one before', () => {
    const { feed, publish } = follow()
    assert.deepEqual([feed.judge(at(11)), feed.judge(at(11))], ['wait', 'read'])
    publish(part(10, 'a', false))
    publish(part(10, 'b', false))
    assert.equal(feed.judge(at(11)), 'settled')
    publish(part(11, 'a', false))
    assert.equal(feed.judge(at(12)), 'wait')
    publish(part(11, 'b', false))
    assert.equal(feed.judge(at(12)), 'settled')
  })

  it('has minutes read when the connection was lost, until one read began under the present one', () => {
    const { channel, feed, publish } = follow()
    channel.connectionId = undefined
    assert.equal(feed.judge(at(11)), 'read')
    feed.passStored([part(10, 'a', false)], { completeThroughMs: at(11), connectionId: undefined })
    channel.connectionId = 2
    publish(part(11, 'a', false))
    assert.equal(feed.judge(at(12)), 'read')
    feed.passStored([part(11, 'a', false)], { completeThroughMs: at(12), connectionId: 2 })
    publish(part(12, 'a', false))
    assert.equal(feed.judge(at(13)), 'settled')
    channel.connectionId = 3
    publish(part(13, 'a', false))
    assert.equal(feed.judge(at(14)), 'read', 'lost and back between two looks')
  })

  it('does not let an aggregator that was paused undo what its successor closed', () => {
    const { feed, told, publish } = follow()
    publish(part(10, 'a', false, 60))
    publish(part(10, 'a', true, 12))
    publish({ ...part(10, 'a', true, 12), series: [...part(10, 'a', true).series, ...part(10, 'b', true).series] })
    publish(part(10, 'b', false))
    assert.equal(feed.judge(at(11)), 'settled')
    publish(part(10, 'a', true, 12))
    assert.deepEqual(told, ['10 a closed 10', '10 b open 10', '10 b closed 10'])
  })

  it('settles at once where one process owns all partitions, and not before it does', () => {
    const { channel, feed, told, publish } = follow()
    let completeThroughMs = at(10)
    channel.connect({ openMinutes: () => [], completeThroughMs: () => completeThroughMs })
    publish(part(10, 'a', false))
    completeThroughMs = at(12)
    publish(part(11, 'b', false))
    assert.deepEqual(told, ['10 a closed 10', '11 b closed 12'])
    assert.equal(feed.settledMs, at(12))
  })

  it('forgets past its bound, and has the minutes read instead', () => {
    const { feed, publish } = follow()
    const many = Array.from({ length: 50_001 }, (_, index) => {
      return { metricId: `m${index}`, labels: {}, min: 1, max: 1, avg: 1, sum: 1, count: 1 }
    })
    publish({ ...part(10, 'a', true), series: many })
    publish(part(10, 'a', false))
    assert.equal(feed.judge(at(11)), 'read')
  })

  it('starts with the first minute that is complete at all', () => {
    const feed = new ServerFeed(server, new Channel())
    assert.equal(feed.judge(at(11)), 'settled', 'nobody streams yet')
    feed.startFrom(0)
    assert.equal(feed.judge(at(11)), 'wait')
    assert.equal(feed.settledMs, at(10))
  })
})
