/** Live streams over HTTP: what comes first, replay after a reconnect, heartbeats, bounds, and a clean end. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect } from 'node:net'
import { before, beforeEach, describe, it } from 'node:test'
import { minuteMs } from '@minutely/schema/limits'
import type { LiveMinute } from '@minutely/schema/query-wire'
import { createTestApi, eventually, insertSeries, nowMs, setCompleteThrough, startMs } from './test-api.ts'
import { openStream, type SseEvent } from './test-stream.ts'

const at = (minute: number): number => startMs + minute * minuteMs
const server = { tenantId: 'default', serverId: 'web-1' }
const series = { metricId: 'm', labels: {} }

let api: Awaited<ReturnType<typeof createTestApi>>
before(async () => {
  api = await createTestApi({ viewersMax: 2, replayMinutesMax: 60 })
  await insertSeries(
    api.pool,
    { serverId: 'web-1', ...series },
    [50, 55, 56, 57, 58].map((minute) => ({ atMs: at(minute), values: [minute] })),
  )
  await setCompleteThrough(api.pool, at(58))
})
beforeEach(() => api.live.connect(undefined))

function minute(atMs: number, value: number, provisional = true): LiveMinute {
  const values = { min: value, max: value, avg: value, sum: value, count: 1 }
  return {
    serverId: 'web-1',
    minuteMs: atMs,
    provisional,
    completeThroughMs: at(58),
    series: [{ ...series, ...values }],
  }
}

const noViewers = () =>
  eventually(async () => assert.match(await api.registry.metrics(), /^minutely_query_viewers 0$/m))
const brief = (event: SseEvent | undefined) => [event?.event, event?.data['minuteMs'], event?.data['provisional']]

describe('the stream of a server', () => {
  it('starts with its status and the open minutes, then passes on what is published', async () => {
    api.live.connect({ openMinutes: () => [minute(at(59), 1)], completeThroughMs: () => at(58) })
    const stream = await openStream(api, '/v1/servers/web-1/live')
    assert.deepEqual(await stream.next(), {
      event: 'status',
      id: undefined,
      data: { nowMs, completeThroughMs: at(58) },
    })
    assert.deepEqual(brief(await stream.next()), ['minute', at(59), true])
    assert.equal(api.live.isWatched(server), true)
    api.live.publish(server, minute(at(59), 2, false))
    const closed = await stream.next()
    assert.deepEqual(brief(closed), ['minute', at(59), false])
    assert.equal(closed?.id, String(at(58)))
    assert.deepEqual(closed?.data['series'], minute(at(59), 2).series)
    stream.close()
    await noViewers()
    assert.equal(api.live.isWatched(server), false)
  })

  it('replays stored minutes from a margin before Last-Event-ID', async () => {
    const stream = await openStream(api, '/v1/servers/web-1/live', { 'last-event-id': String(at(58)) })
    await stream.next()
    assert.deepEqual(brief(await stream.next()), ['minute', at(56), false])
    assert.deepEqual(brief(await stream.next()), ['minute', at(57), false])
    // Stored, but not all partitions are that far.
    assert.deepEqual(brief(await stream.next()), ['minute', at(58), true])
    stream.close()
    await noViewers()
  })

  it('gives replayed minutes ids from which a replay that was cut short goes on', async () => {
    const lastEventId = String(at(52))
    const stream = await openStream(api, '/v1/servers/web-1/live', { 'last-event-id': lastEventId })
    await stream.next()
    const ids: unknown[] = []
    for (let i = 0; i < 5; i++) ids.push((await stream.next())?.id)
    assert.deepEqual(ids, [at(51), at(56), at(57), at(58), at(58)].map(String))
    stream.close()
    await noViewers()
  })

  it('loses nothing that is published while it replays', async () => {
    // The viewer is held at its first question to Postgres: it listens already, and has read nothing.
    const locker = await api.pool.connect()
    await locker.query('begin')
    await locker.query('lock table partition_progress in access exclusive mode')
    const opening = openStream(api, '/v1/servers/web-1/live', { 'last-event-id': String(at(58)) })
    await eventually(() => assert.equal(api.live.isWatched(server), true))
    api.live.publish(server, minute(at(59), 3, false))
    await locker.query('rollback')
    locker.release()
    const stream = await opening
    const seen: unknown[] = []
    for (let i = 0; i < 5; i++) seen.push((await stream.next())?.data['minuteMs'])
    assert.deepEqual(seen, [undefined, at(56), at(57), at(58), at(59)])
    stream.close()
    await noViewers()
  })

  it('asks for a reload when too much was missed, or the id is none of its own', async () => {
    for (const id of [String(nowMs - 61 * minuteMs), 'abc']) {
      const stream = await openStream(api, '/v1/servers/web-1/live', { 'last-event-id': id })
      await stream.next()
      const reset = await stream.next()
      assert.equal(reset?.event, 'reset')
      assert.equal(reset?.id, String(at(58)))
      stream.close()
      await noViewers()
    }
  })

  it('is 404 for an unknown server, and watches nothing', async () => {
    const response = await api.get('/v1/servers/nobody/live')
    assert.equal(response.status, 404)
    assert.equal(api.live.watchedCount, 0)
  })

  it('sends its status every 15 s, and how far all minutes of the server have been sent', async () => {
    const stream = await openStream(api, '/v1/servers/web-1/live')
    await stream.next()
    api.live.connect({ openMinutes: () => [], completeThroughMs: () => at(59) })
    api.live.publish(server, minute(at(58), 2, false))
    assert.deepEqual(brief(await stream.next()), ['minute', at(58), false])
    await api.clock.advance(15_000)
    assert.deepEqual((await stream.next())?.data, { nowMs: nowMs + 15_000, completeThroughMs: at(59) })
    stream.close()
    await noViewers()
  })

  it('is refused with 503 past the most viewers', async () => {
    const streams = [await openStream(api, '/v1/live'), await openStream(api, '/v1/servers/web-1/live')]
    const response = await api.get('/v1/live')
    assert.equal(response.status, 503)
    assert.equal(((await response.json()) as { error: string }).error, 'too-many-viewers')
    assert.equal(response.headers.get('retry-after'), '15')
    for (const stream of streams) stream.close()
    await noViewers()
  })
})

describe('a closed minute that does not come over the channel', () => {
  it('is read from Postgres, and nothing that was shown open is called final before', async () => {
    // Of its own: it moves the clock and the progress. Without a source nobody in this process knows complete-through.
    const own = await createTestApi()
    await insertSeries(own.pool, { serverId: 'web-1', ...series }, [{ atMs: at(57), values: [1] }])
    await setCompleteThrough(own.pool, at(58))
    const stream = await openStream(own, '/v1/servers/web-1/live')
    assert.equal((await stream.next())?.data['completeThroughMs'], at(58))
    // Two partitions: one is ahead and has closed its part, of the other the closed part gets lost.
    const other = { ...minute(at(58), 7, false), completeThroughMs: at(60) }
    own.live.publish(server, minute(at(58), 3))
    own.live.publish(server, { ...other, series: other.series.map((one) => ({ ...one, metricId: 'other' })) })
    for (const provisional of [true, false]) {
      const event = await stream.next()
      assert.deepEqual(brief(event), ['minute', at(58), provisional])
      assert.deepEqual([event?.id, event?.data['completeThroughMs']], [String(at(58)), at(58)])
    }
    await insertSeries(own.pool, { serverId: 'web-1', ...series }, [{ atMs: at(58), values: [4, 4] }])
    await setCompleteThrough(own.pool, at(59))
    const [read] = await Promise.all([
      stream.next(),
      eventually(async () => {
        await own.clock.advance(2500)
        assert.match(await own.registry.metrics(), /_feed_reads_total\{outcome="read"\} 1$/m)
      }),
    ])
    // Heartbeats that came first claim no more than was sent.
    let stored = read
    for (; stored?.event === 'status'; stored = await stream.next()) {
      assert.equal(stored.data['completeThroughMs'], at(58))
    }
    assert.deepEqual(brief(stored), ['minute', at(58), false])
    assert.deepEqual([stored?.id, stored?.data['completeThroughMs']], [String(at(59)), at(59)])
    const values = { min: 4, max: 4, sum: 8, count: 2, avg: 4 }
    assert.deepEqual(stored?.data['series'], [{ ...series, ...values }])
    stream.close()
    await own.stop()
  })
})

describe('a viewer that does not read', () => {
  it('is dropped when it does not take its replay in time, and its points are given back', async () => {
    // Of its own: it moves the clock.
    const slow = await createTestApi()
    // 18 MB, more than the kernel takes for both ends of a connection.
    const labels = { text: 'x'.repeat(5000) }
    for (let i = 0; i < 60; i++) await insertSeries(slow.pool, { serverId: 'wide', metricId: `m${i}`, labels }, [])
    await slow.pool.query(
      `insert into minute select series_id, tenant_id, minute_at, 1, 1, 1, 1 from series
       cross join generate_series($1::timestamptz, $2, '1 minute') as minute_at where server_id = 'wide'`,
      [new Date(at(0)), new Date(at(59))],
    )
    const client = connect(Number(new URL(slow.url).port), '127.0.0.1')
    client.write(`GET /v1/servers/wide/live HTTP/1.1\r\nHost: localhost\r\nLast-Event-ID: ${at(1)}\r\n\r\n`)
    let text = ''
    while (!text.includes('event: minute')) text += (await once(client, 'data'))[0]
    client.pause()
    assert.doesNotMatch(await slow.registry.metrics(), /^minutely_query_points_in_flight 0$/m)
    await eventually(async () => {
      await slow.clock.advance(1000)
      assert.match(await slow.registry.metrics(), /_viewers_dropped_total\{reason="stalled"\} 1$/m)
    })
    await eventually(async () => {
      assert.match(await slow.registry.metrics(), /^minutely_query_points_in_flight 0$/m)
    })
    client.destroy()
    await slow.stop()
  })
})

describe('the stream of the fleet', () => {
  it('tells progress when it opens and when there is more', async () => {
    api.live.connect({ openMinutes: () => [], completeThroughMs: () => at(59) })
    const stream = await openStream(api, '/v1/live')
    assert.equal((await stream.next())?.event, 'status')
    assert.deepEqual(await stream.next(), {
      event: 'progress',
      id: String(at(59)),
      data: {
        completeThroughMs: at(59),
        servers: { total: 1, live: 1, late: 0, silent: 0 },
        samplesPerMinute: null,
      },
    })
    api.live.connect({ openMinutes: () => [], completeThroughMs: () => at(60) })
    await api.clock.advance(2500)
    const more = await stream.next()
    assert.equal(more?.data['completeThroughMs'], at(60))
    // Its newest minute ended a minute before.
    assert.deepEqual(more?.data['servers'], { total: 1, live: 0, late: 1, silent: 0 })
    stream.close()
    await noViewers()
  })
})

describe('stopping', () => {
  it('ends every stream, so that the server can close', async () => {
    const streams = [await openStream(api, '/v1/live'), await openStream(api, '/v1/servers/web-1/live')]
    await api.stop()
    for (const stream of streams) while ((await stream.next()) !== undefined);
    assert.equal(api.live.watchedCount, 0)
    assert.equal(api.clock.pendingCount, 0)
  })
})
