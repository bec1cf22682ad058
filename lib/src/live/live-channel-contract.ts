/**
 * What every live channel must do, as a suite its implementations' tests call. A failure names the promise of
 * live-channel.ts that was broken.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { LiveMinute } from '@minutely/schema/query-wire'
import type { LiveReader, LiveSource, LiveWriter, ServerKey } from './live-channel.ts'

export interface LiveChannelUnderTest {
  /** A fresh, connected channel with one side each. */
  create(): Promise<{ readonly writer: LiveWriter; readonly reader: LiveReader }>
}

export const web: ServerKey = { tenantId: 'default', serverId: 'web-1' }
export const db: ServerKey = { tenantId: 'default', serverId: 'db:1*%' }

export function minuteOf(atMs: number, metricIds: readonly string[], more: Partial<LiveMinute> = {}): LiveMinute {
  const series = metricIds.map((metricId, index) => {
    return { metricId, labels: { disk: `${index}` }, min: 0.1, max: 3, avg: 1.55, sum: 3.1, count: 2 }
  })
  return { serverId: 'web-1', minuteMs: atMs, provisional: true, completeThroughMs: 0, series, ...more }
}

export function sourceOf(openMinutes: (server: ServerKey) => LiveMinute[]): LiveSource {
  return { openMinutes, completeThroughMs: () => 60_000 }
}

/** Repeats a check until it holds; the runner's own timeout ends a vain wait. */
export async function eventually<T>(check: () => T | Promise<T>): Promise<T> {
  for (let tries = 0; ; tries++) {
    try {
      return await check()
    } catch (error) {
      if (tries >= 2000) throw error
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
  }
}

export function recorder() {
  const seen: LiveMinute[] = []
  return {
    seen,
    times: () => seen.map(({ minuteMs }) => minuteMs),
    listen: (minute: LiveMinute) => void seen.push(minute),
  }
}

export function liveChannelContract(name: string, subject: LiveChannelUnderTest): void {
  test(`${name}: a minute reaches every viewer of its server as it was, and nobody else`, async () => {
    const { writer, reader } = await subject.create()
    const [first, second, other, foreign] = [recorder(), recorder(), recorder(), recorder()]
    reader.watch(web, first.listen)
    reader.watch({ ...web }, second.listen)
    reader.watch(db, other.listen)
    reader.watch({ ...web, tenantId: 'another' }, foreign.listen)
    await eventually(() => assert.equal(writer.watchedCount, 3))
    const minute = minuteOf(60_000, ['m', 'n'], { provisional: false, completeThroughMs: 120_000 })
    writer.publish({ tenantId: 'default', serverId: 'nobody' }, minute)
    writer.publish(web, minute)
    // What was sent to others before it would have come before it.
    writer.publish(db, minuteOf(1, ['m']))
    await eventually(() => assert.deepEqual([first.times(), other.times()], [[60_000], [1]]))
    assert.deepEqual(first.seen, [minute])
    assert.deepEqual(second.seen, [minute])
    assert.deepEqual(foreign.seen, [])
  })

  test(`${name}: servers are watched until their last viewer leaves, and leaving twice leaves nobody else out`, async () => {
    const { writer, reader } = await subject.create()
    const viewer = recorder()
    const leaveFirst = reader.watch(web, () => {})
    const leaveSecond = reader.watch(web, () => {})
    reader.watch(db, () => {})
    await eventually(() => assert.equal(writer.watchedCount, 2))
    assert.ok(writer.isWatched(web) && writer.isWatched(db))
    leaveFirst()
    leaveSecond()
    await eventually(() => assert.ok(!writer.isWatched(web)))
    reader.watch(web, viewer.listen)
    leaveFirst()
    leaveSecond()
    await eventually(() => assert.ok(writer.isWatched(web)))
    writer.publish(web, minuteOf(1, ['m']))
    await eventually(() => assert.deepEqual(viewer.times(), [1]))
  })

  test(`${name}: one listener that watches twice is two viewers`, async () => {
    const { writer, reader } = await subject.create()
    const { times, listen } = recorder()
    const leave = reader.watch(web, listen)
    reader.watch(web, listen)
    await eventually(() => assert.ok(writer.isWatched(web)))
    writer.publish(web, minuteOf(1, ['m']))
    await eventually(() => assert.deepEqual(times(), [1, 1]))
    leave()
    writer.publish(web, minuteOf(2, ['m']))
    writer.publish(web, minuteOf(3, ['m']))
    await eventually(() => assert.deepEqual(times(), [1, 1, 2, 3]))
  })

  test(`${name}: a viewer may leave, and another come, while a minute is handed out`, async () => {
    const { writer, reader } = await subject.create()
    const last = recorder()
    const leave = reader.watch(web, () => {
      leave()
      reader.watch(db, () => {})
    })
    reader.watch(web, last.listen)
    await eventually(() => assert.ok(writer.isWatched(web)))
    writer.publish(web, minuteOf(1, ['m']))
    writer.publish(web, minuteOf(2, ['m']))
    await eventually(() => assert.deepEqual(last.times(), [1, 2]))
    await eventually(() => assert.ok(writer.isWatched(db)))
  })

  test(`${name}: without a source there are no open minutes`, async () => {
    const { writer, reader } = await subject.create()
    reader.watch(web, () => assert.fail('nothing to send'))
    writer.publishProvisional()
    assert.deepEqual(await reader.openMinutes(web), [])
    assert.equal(reader.completeThroughMs(), 0)
    assert.notEqual(reader.connectionId, undefined)
  })

  test(`${name}: provisional minutes: only of watched servers, to each of their viewers, until the source goes`, async () => {
    const { writer, reader } = await subject.create()
    const asked = new Set<string>()
    const source = sourceOf((server) => {
      asked.add(server.serverId)
      return server.serverId === 'web-1' ? [minuteOf(1, ['m']), minuteOf(2, ['m'])] : []
    })
    writer.connect(source)
    const [first, second] = [recorder(), recorder()]
    reader.watch(web, first.listen)
    reader.watch(web, second.listen)
    reader.watch(db, () => assert.fail('it has none'))
    await eventually(() => assert.equal(writer.watchedCount, 2))
    writer.publishProvisional()
    await eventually(() => assert.deepEqual([first.times(), second.times()], Array(2).fill([1, 2])))
    await eventually(() => assert.deepEqual([...asked].sort(), [db.serverId, web.serverId]))
    writer.connect(undefined)
    writer.publishProvisional()
    writer.publish(web, minuteOf(3, ['m']))
    await eventually(() => assert.deepEqual(first.times(), [1, 2, 3]))
    assert.deepEqual(await reader.openMinutes(web), [])
  })

  test(`${name}: open minutes: each once, oldest first, of all parts; of a series that is in two, the fuller`, async () => {
    const { writer, reader } = await subject.create()
    const fuller = minuteOf(2, ['m', 'o'])
    const [one, other] = fuller.series
    const full = { ...fuller, series: [{ ...one, count: 5 }, other] } as LiveMinute
    writer.connect(sourceOf(() => [minuteOf(2, ['m', 'n']), minuteOf(1, ['m']), full]))
    const open = await reader.openMinutes(web)
    assert.deepEqual(
      open.map(({ minuteMs, series }) => [minuteMs, series.map(({ metricId, count }) => `${metricId} ${count}`)]),
      [
        [1, ['m 2']],
        [2, ['m 5', 'n 2', 'o 2']],
      ],
    )
    const again = await Promise.all([reader.openMinutes(web), reader.openMinutes(web)])
    assert.deepEqual(again, [open, open])
  })
}
