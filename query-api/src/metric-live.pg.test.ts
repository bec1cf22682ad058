/** The live stream of a metric: what is in an event, when it comes, replay, sharing and bounds; in one process and in many. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect } from 'node:net'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { minuteMs } from '@minutely/schema/limits'
import { type LiveMetricMinute, liveMetricMinute } from '@minutely/schema/live-wire'
import { type Aggregation, metricSummaryAnswer } from '@minutely/schema/query-wire'
import { createTestApi, eventually, insertSeries, lockTable, nowMs, setCompleteThrough, startMs } from './test-api.ts'
import { openStream, type SseEvent } from './test-stream.ts'

const at = (minute: number): number => startMs + minute * minuteMs
const path = '/v1/metrics/m/live'

type Api = Awaited<ReturnType<typeof createTestApi>>

const minuteOf = (event: SseEvent | undefined): LiveMetricMinute => {
  assert.equal(event?.event, 'minute')
  const data = liveMetricMinute.parse(event?.data)
  assert.equal(event?.id, String(data.minuteMs + minuteMs), 'an id is the end of its minute')
  assert.equal(data.completeThroughMs, data.minuteMs + minuteMs)
  return data
}

/** Of a new viewer, after its status. */
async function watch(api: Api, query = '', lastEventId?: number | string) {
  const stream = await openStream(
    api,
    `${path}${query}`,
    lastEventId === undefined ? {} : { 'last-event-id': String(lastEventId) },
  )
  assert.equal((await stream.next())?.event, 'status')
  return stream
}

const insert = (api: Api, serverId: string, values: Record<number, number[]>, labels: Record<string, string> = {}) =>
  insertSeries(
    api.pool,
    { serverId, metricId: 'm', labels },
    Object.entries(values).map(([minute, seconds]) => ({ atMs: at(Number(minute)), values: seconds })),
  )

/** In one process the aggregator says how far all is complete, in many only Postgres does. */
for (const form of ['one process', 'many processes'] as const) {
  describe(`a metric watched in ${form}`, () => {
    let api: Api
    const complete = async (throughMs: number): Promise<void> => {
      await setCompleteThrough(api.pool, throughMs)
      const source = { openMinutes: () => [], completeThroughMs: () => throughMs }
      api.live.connect(form === 'one process' ? source : undefined)
    }
    const tick = () => api.clock.advance(500)
    beforeEach(async () => {
      api = await createTestApi({ replayMinutesMax: 5 })
      await insert(api, 'web-1', { 56: [1, 3], 57: [5], 58: [9] })
      await insert(api, 'web-2', { 56: [4], 57: [7, 9] }, { disk: 'a' })
      await insert(api, 'web-2', { 57: [2] }, { disk: 'b' })
      await insert(api, 'web-3', { 50: [0.5] })
      await insertSeries(api.pool, { serverId: 'web-9', metricId: 'other', labels: {} }, [
        { atMs: at(57), values: [99] },
      ])
      await api.pool.query("insert into tenant (name) values ('another') on conflict do nothing")
      const foreign = { serverId: 'web-1', metricId: 'm', labels: {}, tenantId: 2 }
      await insertSeries(api.pool, foreign, [{ atMs: at(57), values: [1000] }])
      await complete(at(58))
    })
    afterEach(() => api.stop())

    it('begins with the newest closed minute, as /summary and /series have it', async () => {
      const stream = await watch(api, '?quantile=0,0.5,1&limit=2&by=max')
      const minute = minuteOf(await stream.next())
      assert.equal(minute.minuteMs, at(57))
      const range = `from=${at(57)}&to=${at(58)}&stepMs=60000`
      const answer = await api.get(`/v1/metrics/m/summary?${range}&quantile=0,0.5,1&by=max`)
      const summary = metricSummaryAnswer.parse(await answer.json())
      const first = (columns: Partial<Record<Aggregation, (number | null)[] | undefined>>) =>
        Object.fromEntries(Object.entries(columns).map(([name, values]) => [name, values?.[0]]))
      assert.deepEqual(minute.samples, first(summary.samples))
      assert.deepEqual(minute.across, first(summary.across))
      assert.deepEqual(
        minute.quantiles,
        summary.quantiles.map(({ quantile, values }) => ({ quantile, value: values[0] })),
      )
      assert.deepEqual([minute.matchedSeriesCount, minute.matchedServerCount], [4, 3])
      assert.deepEqual(minute.ranking, [
        { serverId: 'web-2', value: 9 },
        { serverId: 'web-1', value: 5 },
      ])
      stream.close()
    })

    it('goes by labels, single series, the lowest, and an aggregation', async () => {
      const stream = await watch(api, '?label=disk:*&per=series&order=bottom&by=sum')
      const minute = minuteOf(await stream.next())
      assert.deepEqual(minute.ranking, [
        { serverId: 'web-2', labels: { disk: 'b' }, value: 2 },
        { serverId: 'web-2', labels: { disk: 'a' }, value: 16 },
      ])
      assert.deepEqual([minute.samples.count, minute.across.count, minute.across.avg], [3, 2, 9])
      stream.close()
    })

    it('shows a minute when the slowest partition has closed it, once, and not before', async () => {
      const stream = await watch(api)
      assert.equal(minuteOf(await stream.next()).minuteMs, at(57))
      // Stored, and closed in one partition, but not in the other.
      await complete(at(58))
      await setCompleteThrough(api.pool, at(59), 1)
      for (let i = 0; i < 4; i++) await tick()
      await insert(api, 'web-2', { 58: [11] }, { disk: 'a' })
      await complete(at(59))
      await tick()
      const minute = minuteOf(await stream.next())
      assert.equal(minute.minuteMs, at(58))
      assert.deepEqual(
        minute.ranking.map(({ value }) => value),
        [11, 9],
      )
      stream.close()
    })

    it('says that there is no sample where there is none, and takes new series in', async () => {
      const stream = await watch(api, '?label=disk:b')
      await stream.next()
      await complete(at(59))
      await tick()
      const empty = minuteOf(await stream.next())
      assert.deepEqual(empty.samples, { min: null, max: null, avg: null, sum: null, count: 0 })
      assert.deepEqual([empty.quantiles[0]?.value, empty.ranking, empty.matchedSeriesCount], [null, [], 1])
      await insert(api, 'web-4', { 59: [6] }, { disk: 'b' })
      await complete(at(60))
      await tick()
      const more = minuteOf(await stream.next())
      assert.deepEqual([more.ranking, more.matchedSeriesCount], [[{ serverId: 'web-4', value: 6 }], 2])
      stream.close()
    })

    it('goes on after Last-Event-ID: nothing missed, nothing twice', async () => {
      const stream = await watch(api, '', at(56))
      assert.deepEqual(
        [minuteOf(await stream.next()).minuteMs, minuteOf(await stream.next()).minuteMs],
        [at(56), at(57)],
      )
      await complete(at(59))
      await tick()
      assert.equal(minuteOf(await stream.next()).minuteMs, at(58))
      stream.close()
    })

    it('asks for a reload when too much was missed, or the id is none of its own, and goes on from there', async () => {
      for (const id of [at(52), 'abc', at(70)]) {
        const stream = await watch(api, '', id)
        const reset = await stream.next()
        assert.deepEqual([reset?.event, reset?.id], ['reset', String(at(58))], String(id))
        stream.close()
      }
    })

    it('tells all that was closed while Postgres did not answer, in order', async () => {
      const stream = await watch(api)
      await stream.next()
      const locked = await lockTable(api.pool, 'series')
      await complete(at(60))
      await tick()
      await eventually(async () => assert.ok((await locked.waiting()) > 0))
      await locked.release()
      assert.deepEqual(
        [minuteOf(await stream.next()).minuteMs, minuteOf(await stream.next()).minuteMs],
        [at(58), at(59)],
      )
      stream.close()
    })
  })
}

describe('many viewers of a metric', () => {
  it('cost one reading a minute, and one event for each different question', async () => {
    const api = await createTestApi()
    await insert(api, 'web-1', { 57: [1], 58: [2] })
    await setCompleteThrough(api.pool, at(58))
    const queries = ['', '?limit=10', '?order=top', '?limit=1']
    const streams = await Promise.all(queries.map((query) => watch(api, query)))
    for (const stream of streams) minuteOf(await stream.next())
    const reads = async (): Promise<number> => {
      const text = await api.registry.getSingleMetricAsString('minutely_query_metric_reads_total')
      return Number(/\{outcome="read"\} (\d+)/.exec(text)?.[1])
    }
    const before = await reads()
    // Two different questions; equal ones share what the first of them read.
    assert.ok(before <= 2, `${before}`)
    await setCompleteThrough(api.pool, at(59))
    await api.clock.advance(500)
    for (const stream of streams) assert.equal(minuteOf(await stream.next()).minuteMs, at(58))
    assert.equal(await reads(), before + 1)
    assert.match(await api.registry.metrics(), /^minutely_query_watched_metrics 1$/m)
    for (const stream of streams) stream.close()
    await eventually(async () => assert.match(await api.registry.metrics(), /^minutely_query_watched_metrics 0$/m))
    assert.match(await api.registry.metrics(), /^minutely_query_points_in_flight 0$/m)
    await api.stop()
  })

  it('read again what no longer fits into the memory they share', async () => {
    const api = await createTestApi({ liveCacheBytesMax: 0 })
    await insert(api, 'web-1', { 56: [1], 57: [1] })
    await setCompleteThrough(api.pool, at(58))
    const stream = await watch(api, '', at(56))
    assert.deepEqual([minuteOf(await stream.next()).minuteMs, minuteOf(await stream.next()).minuteMs], [at(56), at(57)])
    assert.match(await api.registry.metrics(), /^minutely_query_live_cache_bytes 0$/m)
    stream.close()
    await api.stop()
  })

  it('drop one that takes nothing, and the others do not notice', async () => {
    const api = await createTestApi({ replayMinutesMax: 1440 })
    // 100 labels of 5 KB an event: more than the kernel takes for both ends of a connection in 60 of them.
    const labels = (i: number) => ({ text: `${i}${'x'.repeat(5000)}` })
    for (let i = 0; i < 100; i++) await insert(api, 'wide', {}, labels(i))
    await api.pool.query(
      `insert into minute select series_id, tenant_id, minute_at, 1, 1, 1, 1 from series
       cross join generate_series($1::timestamptz, $2, '1 minute') as minute_at`,
      [new Date(at(0)), new Date(at(57))],
    )
    await setCompleteThrough(api.pool, at(58))
    const other = await watch(api)
    assert.equal(minuteOf(await other.next()).minuteMs, at(57))
    const client = connect(Number(new URL(api.url).port), '127.0.0.1')
    client.on('error', () => {})
    const ask = `GET ${path}?per=series&limit=100 HTTP/1.1\r\nHost: localhost\r\nLast-Event-ID: ${at(1)}\r\n\r\n`
    client.write(ask)
    let text = ''
    while (!text.includes('event: minute')) text += (await once(client, 'data'))[0]
    client.pause()
    await eventually(async () => {
      await api.clock.advance(1000)
      assert.match(await api.registry.metrics(), /_viewers_dropped_total\{reason="stalled"\} 1$/m)
    })
    await setCompleteThrough(api.pool, at(59))
    await api.clock.advance(500)
    let event = await other.next()
    while (event?.event === 'status') event = await other.next()
    assert.equal(minuteOf(event).minuteMs, at(58))
    client.destroy()
    other.close()
    await api.stop()
  })
})

describe('a stream that is refused', () => {
  it('says why, before it begins', async () => {
    const api = await createTestApi({ summarySeriesMax: 1 })
    await insert(api, 'web-1', {})
    await insert(api, 'web-2', {})
    const refusals = [
      ['/v1/metrics/nothing/live', 404, 'metric-not-found'],
      ['/v1/metrics/m/live', 422, 'too-many-series'],
      ['/v1/metrics/m/live?limit=101', 400, 'parameter-invalid'],
      ['/v1/metrics/m/live?order=serverId', 400, 'parameter-invalid'],
      ['/v1/metrics/m/live?from=1', 400, 'parameter-invalid'],
      ['/v1/metrics/%20/live', 400, 'parameter-invalid'],
    ] as const
    for (const [url, status, error] of refusals) {
      const response = await api.get(url)
      assert.deepEqual([response.status, ((await response.json()) as { error: string }).error], [status, error], url)
    }
    assert.equal((await api.get('/v1/metrics/m/live', { method: 'POST' })).status, 405)
    assert.match(await api.registry.metrics(), /^minutely_query_viewers 0$/m)
    await api.stop()
  })

  it('ends with the service', async () => {
    const api = await createTestApi()
    await insert(api, 'web-1', { 57: [1] })
    await setCompleteThrough(api.pool, at(58))
    const stream = await watch(api)
    await api.stop()
    while ((await stream.next()) !== undefined);
    assert.equal(api.clock.pendingCount, 0)
    assert.equal(api.clock.nowMs(), nowMs)
  })
})
