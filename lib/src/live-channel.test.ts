import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { LiveMinute } from '@minutely/schema/query-wire'
import { LiveChannel, type ServerKey } from './live-channel.ts'

const web: ServerKey = { tenantId: 'default', serverId: 'web-1' }
const db: ServerKey = { tenantId: 'default', serverId: 'db-1' }

/** Only handed on here, never looked into. */
const minute = (minuteMs: number): LiveMinute => ({ minuteMs }) as unknown as LiveMinute

function recorder(): { readonly seen: number[]; readonly listen: (minute: LiveMinute) => void } {
  const seen: number[] = []
  return { seen, listen: ({ minuteMs }) => seen.push(minuteMs) }
}

test('a minute reaches every viewer of its server and nobody else', () => {
  const channel = new LiveChannel()
  const [first, second, other, foreign] = [recorder(), recorder(), recorder(), recorder()]
  channel.watch(web, first.listen)
  channel.watch({ ...web }, second.listen)
  channel.watch(db, other.listen)
  channel.watch({ ...web, tenantId: 'another' }, foreign.listen)
  channel.publish(web, minute(1))
  channel.publish({ tenantId: 'default', serverId: 'nobody' }, minute(2))
  assert.deepEqual([first.seen, second.seen, other.seen, foreign.seen], [[1], [1], [], []])
})

test('watched servers are counted until their last viewer leaves, and leaving twice leaves nobody else out', () => {
  const channel = new LiveChannel()
  const viewer = recorder()
  const leaveFirst = channel.watch(web, () => {})
  const leaveSecond = channel.watch(web, () => {})
  channel.watch(db, () => {})
  assert.equal(channel.watchedCount, 2)
  leaveFirst()
  assert.ok(channel.isWatched(web))
  leaveSecond()
  assert.ok(!channel.isWatched(web))
  assert.equal(channel.watchedCount, 1)

  channel.watch(web, viewer.listen)
  leaveFirst()
  leaveSecond()
  assert.ok(channel.isWatched(web))
  channel.publish(web, minute(1))
  assert.deepEqual(viewer.seen, [1])
})

test('one listener that watches twice is two viewers', () => {
  const channel = new LiveChannel()
  const { seen, listen } = recorder()
  const leave = channel.watch(web, listen)
  channel.watch(web, listen)
  channel.publish(web, minute(1))
  assert.deepEqual(seen, [1, 1])
  leave()
  channel.publish(web, minute(2))
  assert.deepEqual(seen, [1, 1, 2])
})

test('a viewer may leave, and another come, while a minute is handed out', () => {
  const channel = new LiveChannel()
  const last = recorder()
  const leave = channel.watch(web, () => {
    leave()
    channel.watch(db, () => {})
  })
  channel.watch(web, last.listen)
  channel.publish(web, minute(1))
  channel.publish(web, minute(2))
  assert.deepEqual(last.seen, [1, 2])
  assert.ok(channel.isWatched(db))
})

test('without a source there are no open minutes and nothing is complete', () => {
  const channel = new LiveChannel()
  channel.watch(web, () => assert.fail('nothing to send'))
  channel.publishProvisional()
  assert.deepEqual(channel.openMinutes(web), [])
  assert.equal(channel.completeThroughMs(), 0)
})

test('provisional minutes: only of watched servers, in order, to each of their viewers, until the source goes', () => {
  const channel = new LiveChannel()
  const asked: ServerKey[] = []
  channel.connect({
    openMinutes: (server) => {
      asked.push(server)
      return server.serverId === 'web-1' ? [minute(1), minute(2)] : []
    },
    completeThroughMs: () => 60_000,
  })
  const [first, second] = [recorder(), recorder()]
  channel.watch(web, first.listen)
  channel.watch(web, second.listen)
  channel.watch(db, () => assert.fail('db-1 has none'))
  channel.publishProvisional()
  assert.deepEqual(
    [first.seen, second.seen],
    [
      [1, 2],
      [1, 2],
    ],
  )
  assert.deepEqual(asked, [web, db])
  assert.equal(channel.openMinutes(web).length, 2)
  assert.equal(channel.completeThroughMs(), 60_000)

  channel.connect(undefined)
  channel.publishProvisional()
  assert.deepEqual(first.seen, [1, 2])
  assert.deepEqual(channel.openMinutes(web), [])
})
