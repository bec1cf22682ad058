/** What is asked across servers, over HTTP and against a real Postgres: metrics, summaries, latest values. */
import assert from 'node:assert/strict'
import { before, describe, it } from 'node:test'
import { minuteMs } from '@minutely/schema/limits'
import {
  latestAnswer,
  type MetricSummaryAnswer,
  metricListAnswer,
  metricSeriesAnswer,
  metricSummaryAnswer,
} from '@minutely/schema/query-wire'
import { createTestApi, eventually, insertSeries, lockTable, setCompleteThrough, startMs } from './test-api.ts'

let api: Awaited<ReturnType<typeof createTestApi>>
const at = (minute: number): number => startMs + minute * minuteMs
const span = `from=${startMs}&to=${at(4)}&stepMs=60000`
const load = 'system.load'
const serverCount = 7

async function json(path: string): Promise<{ status: number; body: never }> {
  const response = await api.get(path)
  return { status: response.status, body: (await response.json()) as never }
}

async function summary(query: string): Promise<MetricSummaryAnswer> {
  const { status, body } = await json(`/v1/metrics/${load}/summary?${query}`)
  assert.equal(status, 200, JSON.stringify(body))
  return metricSummaryAnswer.parse(body)
}

/** Server i has the values i and i + 0.5 in minutes 0, 1 and 3 of its device a, and 10 + i in minute 0 of device b. */
before(async () => {
  api = await createTestApi({ pointsMax: 1000, seriesMax: 100, minutesMax: 5000, summarySeriesMax: 15 })
  const { pool } = api
  for (let i = 0; i < serverCount; i++) {
    const values = [i, i + 0.5]
    const minutes = [0, 1, 3].map((minute) => ({ atMs: at(minute), values }))
    await insertSeries(pool, { serverId: `s${i}`, metricId: load, labels: { device: 'a' } }, minutes)
    await insertSeries(pool, { serverId: `s${i}`, metricId: load, labels: { device: 'b' } }, [
      { atMs: at(0), values: [10 + i] },
    ])
  }
  await insertSeries(pool, { serverId: 's0', metricId: 'system.memory.usage', labels: {} }, [
    { atMs: at(2), values: [5] },
  ])
  await insertSeries(pool, { serverId: 's0', metricId: 'gone', labels: {} }, [])
  await pool.query("insert into tenant (name) values ('other')")
  await insertSeries(pool, { serverId: 'x', metricId: load, labels: { device: 'a' }, tenantId: 2 }, [
    { atMs: at(0), values: [1000] },
  ])
  await setCompleteThrough(pool, at(4))
})

describe('the list of metrics', () => {
  it('has units, how many servers and series there are, and when each was seen', async () => {
    const { metrics, nextCursor, completeThroughMs } = metricListAnswer.parse((await json('/v1/metrics')).body)
    assert.deepEqual([nextCursor, completeThroughMs], [null, at(4)])
    const entry = { firstSeenMs: startMs, serverCount: 1, seriesCount: 1 }
    assert.deepEqual(metrics, [
      { metricId: 'gone', unit: 'number', ...entry, lastSeenMs: startMs },
      { metricId: load, unit: 'number', ...entry, serverCount: 7, seriesCount: 14, lastSeenMs: at(4) },
      { metricId: 'system.memory.usage', unit: 'bytes', ...entry, lastSeenMs: at(3) },
    ])
  })

  it('pages by key, and is narrowed by part of an id, by glob and by label', async () => {
    const ids = async (query: string) => {
      const { metrics, nextCursor } = metricListAnswer.parse((await json(`/v1/metrics?${query}`)).body)
      return { ids: metrics.map(({ metricId }) => metricId), nextCursor }
    }
    const first = await ids('limit=2')
    assert.deepEqual(first.ids, ['gone', load])
    const second = await ids(`limit=2&cursor=${first.nextCursor}`)
    assert.deepEqual(second, { ids: ['system.memory.usage'], nextCursor: null })
    assert.deepEqual((await ids('query=MEM')).ids, ['system.memory.usage'])
    assert.deepEqual((await ids('metricId=system.*&label=device:!*')).ids, ['system.memory.usage'])
    const { metrics } = metricListAnswer.parse((await json('/v1/metrics?label=device:b')).body)
    assert.deepEqual(
      metrics.map(({ seriesCount, lastSeenMs }) => [seriesCount, lastSeenMs]),
      [[7, at(1)]],
    )
  })
})

describe('top and bottom', () => {
  it('are the series with the largest and the smallest value of the range', async () => {
    const servers = async (query: string) =>
      metricSeriesAnswer
        .parse((await json(`/v1/metrics/${load}/series?${span}&label=device:a&${query}`)).body)
        .series.map(({ serverId }) => serverId)
    assert.deepEqual(await servers('order=top&limit=2'), ['s6', 's5'])
    assert.deepEqual(await servers('order=bottom&by=max&limit=2'), ['s0', 's1'])
    const wrong = await json(`/v1/metrics/${load}/series?${span}&order=max&by=avg`)
    assert.deepEqual([wrong.status, (wrong.body as { error: string }).error], [400, 'parameter-invalid'])
  })
})

describe('a summary', () => {
  const values = Array.from({ length: serverCount }, (_, i) => i)

  it('has every sample alike, one value per server, quantiles and the distribution, step by step', async () => {
    const answer = await summary(`${span}&label=device:a&quantile=0,0.25,1&bounds=0,2,4`)
    assert.deepEqual([answer.matchedSeriesCount, answer.matchedServerCount, answer.provisionalFromMs], [7, 7, null])
    const sampleSum = values.reduce((sum, i) => sum + i + i + 0.5, 0)
    const avgs = values.map((i) => i + 0.25)
    const slots = <T>(value: T) => [value, value, null, value]
    assert.deepEqual(answer.samples, {
      min: slots(0),
      max: slots(6.5),
      avg: slots(sampleSum / 14),
      sum: slots(sampleSum),
      count: slots(14),
    })
    const acrossSum = avgs.reduce((sum, value) => sum + value, 0)
    assert.deepEqual(answer.across, {
      min: slots(0.25),
      max: slots(6.25),
      avg: slots(acrossSum / 7),
      sum: slots(acrossSum),
      count: slots(7),
    })
    assert.deepEqual(answer.quantiles, [
      { quantile: 0, values: slots(0.25) },
      { quantile: 0.25, values: slots(1.75) },
      { quantile: 1, values: slots(6.25) },
    ])
    assert.deepEqual(answer.distribution, {
      bounds: [0, 2, 4],
      counts: [
        [2, 2, 0, 2],
        [2, 2, 0, 2],
      ],
      below: [0, 0, 0, 0],
      above: [3, 3, 0, 3],
    })
  })

  it('goes by another aggregation, and by series', async () => {
    const byMax = await summary(`${span}&by=max&agg=max`)
    assert.deepEqual([byMax.matchedSeriesCount, byMax.matchedServerCount], [14, 7])
    assert.deepEqual(byMax.across, { max: [16, 6.5, null, 6.5] })
    const perServer = await summary(`${span}&agg=count`)
    assert.deepEqual(perServer.across, { count: [7, 7, null, 7] })
    const perSeries = await summary(`${span}&per=series&agg=count&buckets=0`)
    assert.deepEqual(perSeries.across, { count: [14, 7, null, 7] })
    assert.equal(perSeries.distribution, undefined)
    // Both series of a server in one value: (0 + 0.5 + 10) / 3.
    const merged = await summary(`${span}&quantile=0&agg=avg`)
    assert.equal(merged.quantiles[0]?.values[0], 10.5 / 3)
  })

  it('is the same in slabs of any size, and merges steps exactly', async () => {
    const whole = await summary(`from=${startMs}&to=${at(4)}&stepMs=240000&label=device:a&buckets=5`)
    assert.deepEqual(whole.samples.count, [42])
    assert.deepEqual(whole.across.avg, [3.25])
    // 30 series x 2 steps fit at a time, and the answer's 13 columns of 6 steps.
    const small = await createTestApi({ pointsMax: 78 })
    for (let i = 0; i < 30; i++) {
      const minutes = [0, 1, 2, 5].map((minute) => ({ atMs: at(minute), values: [i, minute / 10] }))
      await insertSeries(small.pool, { serverId: `s${i}`, metricId: load, labels: {} }, minutes)
    }
    const path = `/v1/metrics/${load}/summary?from=${startMs}&to=${at(6)}&stepMs=60000&buckets=0&quantile=1`
    const answer = metricSummaryAnswer.parse(await (await small.get(path)).json())
    assert.deepEqual(answer.samples.count, [60, 60, 60, null, null, 60])
    assert.deepEqual(answer.samples.min, [0, 0, 0, null, null, 0])
    assert.deepEqual(answer.samples.sum, [435, 438, 441, null, null, 450])
    assert.deepEqual(answer.quantiles[0]?.values, [14.5, 14.55, 14.6, null, null, 14.75])
  })

  it('says what it lacks and what is too much', async () => {
    const cases: [string, number, string][] = [
      [`nope/summary?${span}`, 404, 'metric-not-found'],
      [`${load}/summary?${span}&bounds=1`, 400, 'parameter-invalid'],
      [`${load}/summary?${span}&bounds=1,1`, 400, 'parameter-invalid'],
      [`${load}/summary?${span}&bounds=1,x`, 400, 'parameter-invalid'],
      [`${load}/summary?${span}&bounds=1,2&buckets=3`, 400, 'parameter-invalid'],
      [`${load}/summary?${span}&buckets=1`, 400, 'parameter-invalid'],
      [`${load}/summary?${span}&per=host`, 400, 'parameter-invalid'],
      [`${load}/summary?from=-100m&stepMs=60000`, 422, 'too-many-points'],
      [`${load}/summary?from=-10h&stepMs=3600000`, 422, 'too-many-minutes'],
    ]
    for (const [path, status, id] of cases) {
      const { status: got, body } = await json(`/v1/metrics/${path}`)
      assert.deepEqual([got, (body as { error: string }).error], [status, id], path)
    }
    const none = await summary(`${span}&label=device:c`)
    assert.deepEqual([none.matchedSeriesCount, none.samples.count], [0, [null, null, null, null]])
    assert.deepEqual(none.distribution?.bounds, [])
  })

  it('exists as CSV and NDJSON', async () => {
    const path = `/v1/metrics/${load}/summary?${span}&label=device:a&agg=avg&quantile=0.5&bounds=0,4`
    const csv = await (await api.get(path, { headers: { accept: 'text/csv' } })).text()
    const [head, first, ...others] = csv.trimEnd().split('\r\n')
    assert.equal(head, 'timeMs,provisional,avg,acrossAvg,q0.5,from0,below,above')
    assert.equal(first, `${startMs},false,3.25,3.25,3.25,4,0,3`)
    assert.equal(others.length, 2)
    const ndjson = await (await api.get(path, { headers: { accept: 'application/x-ndjson' } })).text()
    const [about, ...steps] = ndjson
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>)
    assert.deepEqual([about?.['quantiles'], about?.['bounds']], [[0.5], [0, 4]])
    assert.deepEqual(steps[0], {
      timeMs: startMs,
      samples: { avg: 3.25 },
      across: { avg: 3.25 },
      quantiles: [3.25],
      counts: [4],
      below: 0,
      above: 3,
    })
    assert.equal(steps.length, 4)
  })

  it('has an ETag that holds while the answer does', async () => {
    const path = `/v1/metrics/${load}/summary?${span}`
    const first = await api.get(path)
    const etag = first.headers.get('etag') ?? ''
    await first.text()
    assert.equal(first.headers.get('cache-control'), 'private, no-cache')
    assert.equal((await api.get(path, { headers: { 'if-none-match': etag } })).status, 304)
  })
})

describe('latest values', () => {
  it('are a table of servers, of the newest closed minute', async () => {
    const { body } = await json(`/v1/latest?metricId=system.*&agg=avg,max`)
    const answer = latestAnswer.parse(body)
    assert.deepEqual([answer.startMs, answer.endMs, answer.completeThroughMs], [at(3), at(4), at(4)])
    assert.deepEqual(answer.servers, ['s0', 's1', 's2', 's3', 's4', 's5', 's6'])
    assert.deepEqual(
      answer.series.map(({ metricId, labels, unit }) => [metricId, labels, unit]),
      [
        [load, { device: 'a' }, 'number'],
        [load, { device: 'b' }, 'number'],
        ['system.memory.usage', {}, 'bytes'],
      ],
    )
    assert.deepEqual(answer.series[0]?.avg, [0.25, 1.25, 2.25, 3.25, 4.25, 5.25, 6.25])
    assert.deepEqual(answer.series[0]?.minutesBack, [0, 0, 0, 0, 0, 0, 0])
    assert.deepEqual(answer.series[1]?.max, Array(7).fill(null))
    assert.equal(answer.series[0]?.min, undefined)
    const text = await (await api.get('/v1/latest?metricId=system.*&minutes=3')).text()
    assert.equal(text, JSON.stringify(JSON.parse(text)))
  })

  it('look back as far as they are told', async () => {
    const answer = latestAnswer.parse((await json('/v1/latest?minutes=4&agg=max&query=S1')).body)
    assert.deepEqual(answer.servers, ['s1'])
    assert.deepEqual(
      answer.series.map(({ max, minutesBack }) => [max, minutesBack]),
      [
        [[1.5], [0]],
        [[11], [3]],
      ],
    )
    assert.equal(latestAnswer.parse((await json('/v1/latest?query=nobody')).body).series.length, 0)
    assert.equal((await json('/v1/latest?minutes=61')).status, 400)
  })

  it('are one a server when asked so: its series of its newest minute, merged', async () => {
    const path = `/v1/latest?metricId=${load}&per=server&agg=min,max,sum,count`
    const newest = latestAnswer.parse((await json(`${path}&minutes=4&query=s2`)).body)
    assert.deepEqual(newest.series, [
      { metricId: load, labels: {}, unit: 'number', minutesBack: [0], min: [2], max: [2.5], sum: [4.5], count: [2] },
    ])
    await setCompleteThrough(api.pool, at(1))
    const both = latestAnswer.parse((await json(`${path}&query=s2`)).body)
    await setCompleteThrough(api.pool, at(4))
    assert.deepEqual(both.series, [
      { metricId: load, labels: {}, unit: 'number', minutesBack: [0], min: [2], max: [12], sum: [16.5], count: [3] },
    ])
  })

  it('say a label of each server when asked so', async () => {
    const answer = latestAnswer.parse(
      (await json('/v1/latest?metricId=system.*&per=server&groupBy=device&minutes=4')).body,
    )
    assert.deepEqual(answer.groups, ['a', 'a', 'a', 'a', 'a', 'a', 'a'])
    const none = latestAnswer.parse((await json('/v1/latest?metricId=system.memory.usage&groupBy=device')).body)
    assert.deepEqual(none.groups, [null])
    assert.equal((await json('/v1/latest?groupBy=de:vice')).status, 400)
    const csv = await (
      await api.get('/v1/latest?groupBy=device&query=s0&metricId=system.load&agg=max', {
        headers: { accept: 'text/csv' },
      })
    ).text()
    assert.deepEqual(csv.split('\r\n').slice(0, 2), [
      'serverId,metricId,labels,timeMs,max,group',
      `s0,${load},"{""device"":""a""}",${at(3)},0.5,a`,
    ])
  })

  it('have a series as soon as it is in the dictionary, whatever its id', async () => {
    const path = '/v1/latest?metricId=ids.*'
    const ids = [5_000, 4_000]
    for (const [index, id] of ids.entries()) {
      // As series-ids.ts gives them out: one that comes later may fill a chunk that was begun before.
      await api.pool.query('select setval(pg_get_serial_sequence($1, $2), $3, false)', ['series', 'series_id', id])
      const series = { serverId: `id${id}`, metricId: 'ids.value', labels: {} }
      assert.equal(await insertSeries(api.pool, series, [{ atMs: at(3), values: [id] }]), id)
      const answer = latestAnswer.parse((await json(path)).body)
      assert.deepEqual(
        answer.servers,
        ids
          .slice(0, index + 1)
          .map((known) => `id${known}`)
          .sort(),
      )
    }
  })

  it('exist as CSV and NDJSON', async () => {
    const path = '/v1/latest?metricId=system.memory.usage&minutes=4&agg=sum'
    const csv = await (await api.get(path, { headers: { accept: 'text/csv' } })).text()
    assert.equal(csv, `serverId,metricId,labels,timeMs,sum\r\ns0,system.memory.usage,{},${at(2)},5\r\n`)
    const ndjson = await (await api.get(path, { headers: { accept: 'application/x-ndjson' } })).text()
    assert.deepEqual(JSON.parse(ndjson.split('\n')[1] ?? ''), {
      serverId: 's0',
      metricId: 'system.memory.usage',
      labels: {},
      timeMs: at(2),
      sum: 5,
    })
  })
})

describe('every question across servers', () => {
  const paths = [
    '/v1/metrics',
    `/v1/metrics/${load}/summary?${span}`,
    '/v1/latest',
    `/v1/metrics/${load}/series?${span}`,
  ]
  for (const path of paths) {
    it(`stops in Postgres when its client goes away: ${path.split('?')[0]}`, async () => {
      const { waiting, release } = await lockTable(api.pool, 'series')
      const browser = new AbortController()
      const aborted = assert.rejects(api.get(path, { signal: browser.signal }), { name: 'AbortError' })
      await eventually(async () => assert.equal(await waiting(), 1))
      browser.abort()
      await aborted
      await eventually(async () => assert.equal(await waiting(), 0))
      await release()
    })
  }

  it('sees no other tenant', async () => {
    const answer = latestAnswer.parse((await json('/v1/latest?metricId=system.*&minutes=60')).body)
    assert.ok(!answer.servers.includes('x'))
    assert.deepEqual((await summary(`${span}&agg=max`)).samples.max, [16, 6.5, null, 6.5])
  })

  it('gives its points back', async () => {
    await eventually(async () => {
      assert.match(await api.registry.metrics(), /^minutely_query_points_in_flight 0$/m)
    })
  })
})
