/** The endpoints over HTTP, against a real Postgres: answers, formats, limits, errors, caching, isolation. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect } from 'node:net'
import { before, describe, it } from 'node:test'
import { createPool } from '@minutely/lib/postgres/pool'
import { silentLog } from '@minutely/lib/postgres/test-database'
import { minuteMs } from '@minutely/schema/limits'
import { metricSeriesAnswer, metricsAnswer, seriesAnswer, serversAnswer } from '@minutely/schema/query-wire'
import { createTestApi, eventually, insertSeries, nowMs, setCompleteThrough, startMs } from './test-api.ts'

type Api = Awaited<ReturnType<typeof createTestApi>>
let api: Api
const at = (minute: number): number => startMs + minute * minuteMs
const span = `from=${startMs}&to=${at(4)}`
const hostile = 'a"b,c\r\n=1+1,\u00e9\u{1f600}'

async function json(path: string, init?: RequestInit): Promise<{ status: number; body: never; headers: Headers }> {
  const response = await api.get(path, init)
  return { status: response.status, body: (await response.json()) as never, headers: response.headers }
}

before(async () => {
  api = await createTestApi({ seriesMax: 5, pointsMax: 1000, rangeDaysMax: 10 })
  const { pool } = api
  const cpu = 'system.cpu.utilization'
  await insertSeries(pool, { serverId: 'web-1', metricId: cpu, labels: { mode: 'user' } }, [
    { atMs: at(0), values: [0.1, 0.2] },
    { atMs: at(1), values: [0.3] },
    { atMs: at(3), values: [-5, 7] },
  ])
  await insertSeries(pool, { serverId: 'web-1', metricId: cpu, labels: { mode: 'system' } }, [
    { atMs: at(2), values: [1] },
  ])
  await insertSeries(pool, { serverId: 'web-1', metricId: 'disk_used', labels: { name: hostile } }, [
    { atMs: at(0), values: [4] },
  ])
  await insertSeries(pool, { serverId: 'Web-2', metricId: cpu, labels: { mode: 'user' } }, [
    { atMs: at(0), values: [9] },
  ])
  for (let i = 0; i < 6; i++) {
    await insertSeries(pool, { serverId: 'big', metricId: 'm', labels: { i: String(i) } }, [
      { atMs: at(0), values: [i] },
    ])
  }
  await pool.query("insert into tenant (name) values ('other')")
  await insertSeries(pool, { serverId: 'secret-1', metricId: 'secret', labels: {}, tenantId: 2 }, [
    { atMs: at(0), values: [42] },
  ])
  await insertSeries(pool, { serverId: 'web-1', metricId: 'secret', labels: {}, tenantId: 2 }, [
    { atMs: at(0), values: [42] },
  ])
  await setCompleteThrough(pool, at(3))
  await setCompleteThrough(pool, at(5), 1)
})

describe('a range of a server', () => {
  it('is columnar, with null where nothing was seen, provisional past the slowest partition', async () => {
    const { status, body } = await json(`/v1/servers/web-1/series?${span}&stepMs=60000&metricId=system.cpu.*`)
    assert.equal(status, 200)
    assert.deepEqual(seriesAnswer.parse(body), {
      startMs,
      endMs: at(4),
      stepMs: 60_000,
      completeThroughMs: at(3),
      provisionalFromMs: at(3),
      series: [
        {
          metricId: 'system.cpu.utilization',
          labels: { mode: 'system' },
          min: [null, null, 1, null],
          max: [null, null, 1, null],
          avg: [null, null, 1, null],
          sum: [null, null, 1, null],
          count: [null, null, 1, null],
        },
        {
          metricId: 'system.cpu.utilization',
          labels: { mode: 'user' },
          min: [0.1, 0.3, null, -5],
          max: [0.2, 0.3, null, 7],
          avg: [(0.1 + 0.2) / 2, 0.3, null, 1],
          sum: [0.1 + 0.2, 0.3, null, 2],
          count: [2, 1, null, 2],
        },
      ],
    })
  })

  it('merges steps and says how it aligned them', async () => {
    const { body } = await json(
      `/v1/servers/web-1/series?from=${at(1)}&to=${at(3) + 1}&stepMs=120000&metricId=disk_used,system.cpu.utilization&label.mode=user`,
    )
    const { startMs: from, endMs, series } = seriesAnswer.parse(body)
    assert.deepEqual([from, endMs], [at(0), at(4)])
    assert.deepEqual(
      series.map(({ metricId }) => metricId),
      ['system.cpu.utilization'],
    )
    assert.deepEqual(series[0]?.count, [3, 2])
    assert.deepEqual(series[0]?.min, [0.1, -5])
    assert.deepEqual(series[0]?.max, [0.3, 7])
  })

  it('takes label alternatives, and only the aggregations asked for', async () => {
    const { body } = await json(`/v1/servers/web-1/series?${span}&label.mode=user&label.mode=system&agg=max&agg=avg`)
    const { series } = seriesAnswer.parse(body)
    assert.equal(series.length, 2)
    assert.deepEqual(Object.keys(series[0] ?? {}), ['metricId', 'labels', 'max', 'avg'])
  })

  it('is empty for a known server without matching series, 404 for an unknown one', async () => {
    const { body } = await json(`/v1/servers/web-1/series?${span}&metricId=nothing`)
    assert.deepEqual(seriesAnswer.parse(body).series, [])
    const unknown = await json(`/v1/servers/web-9/series?${span}`)
    assert.equal(unknown.status, 404)
    assert.equal((unknown.body as { error: string }).error, 'server-not-found')
  })

  it('defaults to the last hour', async () => {
    const { body } = await json('/v1/servers/web-1/series')
    const answer = seriesAnswer.parse(body)
    assert.deepEqual([answer.startMs, answer.endMs, answer.stepMs], [nowMs - 3_600_000, nowMs, 60_000])
  })

  const refused: [string, string, number][] = [
    [`/v1/servers/web-1/series?metric=x`, 'parameter-invalid', 400],
    [`/v1/servers/web-1/series?from=1&from=2`, 'parameter-invalid', 400],
    [`/v1/servers/web-1/series?${span}&stepMs=90000`, 'parameter-invalid', 400],
    [`/v1/servers/web-1/series?${span}&agg=mean`, 'parameter-invalid', 400],
    [`/v1/servers/web-1/series?from=${at(4)}&to=${at(4)}`, 'range-invalid', 400],
    ['/v1/servers/web-1/series?from=-11d', 'range-invalid', 400],
    [`/v1/servers/big/series?${span}`, 'too-many-series', 422],
    ['/v1/servers/web-1/series?from=-400m&stepMs=60000', 'too-many-points', 422],
    ['/v1/servers/%20/series', 'parameter-invalid', 400],
    ['/v1/metrics/nope/series', 'metric-not-found', 404],
    ['/v1/nothing', 'route-not-found', 404],
    ['/v1/servers?query=%00', 'parameter-invalid', 400],
    ['/v1/servers?query=web%0A', 'parameter-invalid', 400],
  ]
  for (const [path, id, status] of refused) {
    it(`refuses ${path.replace(/\d{13}/g, 'T')} as ${id}`, async () => {
      const { status: got, body } = await json(path)
      assert.deepEqual([got, (body as { error: string }).error], [status, id])
    })
  }

  it('is answered up to the last instant that can be asked for, whose step ends in the year 10000', async () => {
    const last = 'from=253402300000000&to=253402300799999'
    for (const path of ['/v1/servers/web-1', '/v1/metrics/disk_used']) {
      const { status, body } = await json(`${path}/series?${last}`)
      assert.equal(status, 200)
      assert.equal((body as { endMs: number }).endMs, 253_402_300_800_000)
    }
  })

  it('says by how much it is too much, and what fits', async () => {
    const tooMany = await json(`/v1/servers/big/series?${span}`)
    assert.match((tooMany.body as { message: string }).message, /matches 6 series, one answer holds at most 5/)
    const { body } = await json('/v1/servers/web-1/series?from=-400m&stepMs=60000')
    const { details, message } = body as { message: string; details: { fittingStepMs: number } }
    assert.match(message, /1200 points \(3 series x 400 steps\)/)
    const fitting = await json(`/v1/servers/web-1/series?from=-400m&stepMs=${details.fittingStepMs}`)
    assert.equal(fitting.status, 200)
  })

  it('gives back the points of every answer, sent or refused', async () => {
    await eventually(async () => {
      assert.match(await api.registry.metrics(), /^minutely_query_points_in_flight 0$/m)
    })
  })
})

describe('other methods', () => {
  const paths = [
    '/v1/servers',
    '/v1/servers/web-1/metrics',
    '/v1/servers/web-1/series',
    '/v1/metrics/disk_used/series',
    '/v1/openapi.json',
    '/v1/live',
    '/v1/servers/web-1/live',
    '/v1/metrics/disk_used/live',
  ]
  for (const path of paths) {
    it(`are 405 on ${path}, which names those it has`, async () => {
      const allowed = path.endsWith('/live') ? 'GET' : 'GET, HEAD'
      for (const method of ['POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']) {
        const { status, body, headers } = await json(path, { method })
        assert.deepEqual(
          [status, (body as { error: string }).error, headers.get('allow')],
          [405, 'method-not-allowed', allowed],
        )
      }
      assert.equal((await api.get(path, { method: 'HEAD' })).status, allowed === 'GET' ? 405 : 200)
    })
  }
})

describe('a client that reads its answer too slowly', () => {
  it('is cut off, however it trickles, and its points are given back', async () => {
    // 432,000 points, 11 MB; kernel and client together take less.
    const slow = await createTestApi()
    for (let i = 0; i < 30; i++) {
      await insertSeries(slow.pool, { serverId: 'web-1', metricId: `m${i}`, labels: {} }, [])
    }
    const client = connect(Number(new URL(slow.url).port), '127.0.0.1')
    client.write('GET /v1/servers/web-1/series?from=-10d&stepMs=60000 HTTP/1.1\r\nHost: localhost\r\n\r\n')
    client.on('error', () => {})
    await once(client, 'readable')
    const closed = once(client, 'close')
    const { answerTimeoutMs } = slow.config
    const trickle = async (): Promise<void> => {
      client.read(1)
      await slow.clock.advance(1000)
    }
    for (let ms = 0; ms < answerTimeoutMs - 1000; ms += 1000) await trickle()
    assert.doesNotMatch(await slow.registry.metrics(), /^minutely_query_points_in_flight 0$/m)
    await trickle()
    await eventually(async () => {
      assert.match(await slow.registry.metrics(), /^minutely_query_points_in_flight 0$/m)
    })
    client.resume()
    await closed
    await slow.stop()
  })
})

describe('formats and caching', () => {
  const path = `/v1/servers/web-1/series?${span}&stepMs=60000`

  it('answers CSV that a parser reads back, labels of any content included', async () => {
    const response = await api.get(`${path}&agg=min,count`, { headers: { accept: 'text/csv' } })
    assert.equal(response.headers.get('content-type'), 'text/csv; charset=utf-8; header=present')
    const lines = parseCsv(await response.text())
    assert.deepEqual(lines, [
      ['metricId', 'labels', 'timeMs', 'provisional', 'min', 'count'],
      ['disk_used', JSON.stringify({ name: hostile }), String(at(0)), 'false', '4', '1'],
      ['system.cpu.utilization', '{"mode":"system"}', String(at(2)), 'false', '1', '1'],
      ['system.cpu.utilization', '{"mode":"user"}', String(at(0)), 'false', '0.1', '2'],
      ['system.cpu.utilization', '{"mode":"user"}', String(at(1)), 'false', '0.3', '1'],
      ['system.cpu.utilization', '{"mode":"user"}', String(at(3)), 'true', '-5', '2'],
    ])
  })

  it('answers NDJSON: the head, then a line per series', async () => {
    const response = await api.get(path, { headers: { accept: 'application/x-ndjson' } })
    const lines = (await response.text())
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>)
    const { body } = await json(path)
    const { series, ...head } = seriesAnswer.parse(body)
    assert.deepEqual(lines, [head, ...series])
  })

  it('refuses other formats', async () => {
    const { status, body } = await json(path, { headers: { accept: 'image/png' } })
    assert.deepEqual([status, (body as { error: string }).error], [406, 'not-acceptable'])
  })

  it('has an ETag that holds while the answer does, and changes with late data', async () => {
    const etagOf = async (init?: RequestInit): Promise<string> => (await api.get(path, init)).headers.get('etag') ?? ''
    const etag = await etagOf()
    assert.match(etag, /^W\/".{22}"$/)
    const again = await api.get(path, { headers: { 'if-none-match': `"x", ${etag}` } })
    assert.equal(again.status, 304)
    assert.equal(await again.text(), '')
    assert.equal(again.headers.get('cache-control'), 'private, no-cache')
    assert.notEqual(await etagOf({ headers: { accept: 'text/csv' } }), etag)
    // Progress past the range does not change a final answer...
    const finalPath = `/v1/servers/web-1/series?from=${startMs}&to=${at(3)}&stepMs=60000`
    const finalEtag = (await api.get(finalPath)).headers.get('etag')
    await setCompleteThrough(api.pool, at(4))
    assert.equal((await api.get(finalPath)).headers.get('etag'), finalEtag)
    // ...late data does.
    await insertSeries(api.pool, { serverId: 'web-1', metricId: 'disk_used', labels: { name: hostile } }, [
      { atMs: at(1), values: [5] },
    ])
    assert.notEqual((await api.get(finalPath)).headers.get('etag'), finalEtag)
    await setCompleteThrough(api.pool, at(3))
  })
})

describe('lists', () => {
  it('pages through servers by key', async () => {
    const first = serversAnswer.parse((await json('/v1/servers?limit=2')).body)
    assert.deepEqual(
      first.servers.map(({ serverId }) => serverId),
      ['Web-2', 'big'],
    )
    const second = serversAnswer.parse((await json(`/v1/servers?limit=2&cursor=${first.nextCursor}`)).body)
    assert.deepEqual(
      second.servers.map(({ serverId }) => serverId),
      ['web-1'],
    )
    assert.equal(second.nextCursor, null)
    const entry = { serverId: 'web-1', firstSeenMs: startMs, lastSeenMs: at(4) }
    assert.deepEqual(second.servers[0], { ...entry, seriesCount: 3 })
    const uncounted = serversAnswer.parse((await json('/v1/servers?query=web-1&seriesCount=no')).body)
    assert.deepEqual(uncounted.servers, [entry])
  })

  it('finds servers by any part of their id, in any case, taking wildcards for what they are', async () => {
    const find = async (query: string) =>
      serversAnswer
        .parse((await json(`/v1/servers?query=${encodeURIComponent(query)}`)).body)
        .servers.map(({ serverId }) => serverId)
    assert.deepEqual(await find('EB-'), ['Web-2', 'web-1'])
    assert.deepEqual(await find('%'), [])
    assert.deepEqual(await find('_eb'), [])
  })

  it('finds servers and series by metric and label', async () => {
    const found = async (query: string): Promise<string[]> =>
      serversAnswer.parse((await json(`/v1/servers?${query}`)).body).servers.map(({ serverId }) => serverId)
    assert.deepEqual(await found('metricId=system.cpu.*&label=mode:s*'), ['web-1'])
    assert.deepEqual(await found('metricId=system.cpu.*&label=mode:!system'), ['Web-2', 'web-1'])
    assert.deepEqual(await found('label=i:3'), ['big'])
    assert.deepEqual(await found('metricId=m&label=i:!*'), [])
    assert.deepEqual(await found('metricId=secret'), [])
    const { metrics } = metricsAnswer.parse((await json('/v1/servers/web-1/metrics?label=mode:!user')).body)
    assert.deepEqual(
      metrics.map(({ metricId, labels }) => [metricId, labels['mode']]),
      [
        ['disk_used', undefined],
        ['system.cpu.utilization', 'system'],
      ],
    )
  })

  it('refuses a cursor that is none', async () => {
    for (const cursor of ['x', 'WzEsIiBcdTAwMDAiXQ', 'WzIsImEiXQ']) {
      assert.equal((await json(`/v1/servers?cursor=${cursor}`)).status, 400)
    }
  })

  it('lists series with when they were seen', async () => {
    const { metrics } = metricsAnswer.parse((await json('/v1/servers/web-1/metrics')).body)
    assert.deepEqual(
      metrics.map(({ metricId, labels, lastSeenMs }) => [metricId, labels['mode'] ?? '', lastSeenMs]),
      [
        ['disk_used', '', at(2)],
        ['system.cpu.utilization', 'system', at(3)],
        ['system.cpu.utilization', 'user', at(4)],
      ],
    )
    assert.equal((await json('/v1/servers/nobody/metrics')).status, 404)
  })
})

describe('a metric across servers', () => {
  const path = `/v1/metrics/system.cpu.utilization/series?${span}&stepMs=60000&label.mode=user`

  it('has the server in each series, sorted by it', async () => {
    const answer = metricSeriesAnswer.parse((await json(path)).body)
    assert.deepEqual(
      answer.series.map(({ serverId }) => serverId),
      ['Web-2', 'web-1'],
    )
    assert.equal(answer.matchedSeriesCount, 2)
    assert.deepEqual(answer.series[0]?.max, [9, null, null, null])
  })

  it('orders by a value of the range and keeps the first', async () => {
    const ids = async (order: string) =>
      metricSeriesAnswer
        .parse((await json(`${path}&limit=1&order=${order}`)).body)
        .series.map(({ serverId }) => serverId)
    assert.deepEqual(await ids('max'), ['Web-2'])
    assert.deepEqual(await ids('max:asc'), ['web-1'])
    assert.deepEqual(await ids('count'), ['web-1'])
  })

  it('has quantiles over all series, not just those answered', async () => {
    const answer = metricSeriesAnswer.parse((await json(`${path}&limit=1&quantile=0,0.5,1`)).body)
    assert.equal(answer.series.length, 1)
    const low = (0.1 + 0.2) / 2
    assert.deepEqual(answer.quantiles, [
      { quantile: 0, avg: [low, 0.3, null, 1] },
      { quantile: 0.5, avg: [low + (9 - low) / 2, 0.3, null, 1] },
      { quantile: 1, avg: [9, 0.3, null, 1] },
    ])
  })
})

describe('isolation of tenants', () => {
  it('shows neither servers nor series nor minutes of another tenant, whatever is asked', async () => {
    assert.deepEqual(serversAnswer.parse((await json('/v1/servers?query=secret')).body).servers, [])
    assert.equal((await json('/v1/servers/secret-1/metrics')).status, 404)
    assert.equal((await json(`/v1/metrics/secret/series?${span}`)).status, 404)
    const { body } = await json(`/v1/servers/web-1/series?${span}&metricId=secret`)
    assert.deepEqual(seriesAnswer.parse(body).series, [])
    const crafted = encodeURIComponent("x') or true --")
    assert.equal((await json(`/v1/servers/web-1/series?${span}&metricId=${crafted}`)).status, 400)
    const filtered = await json(`/v1/servers/web-1/series?${span}&label.mode=${crafted}`)
    assert.deepEqual(seriesAnswer.parse(filtered.body).series, [])
  })

  it('holds below our SQL: the connection itself sees its tenant only and can write nothing', async () => {
    const other = createPool(
      api.connection,
      { name: 'other', connectionsMax: 1, readAsTenantId: 2 },
      { log: silentLog },
    )
    const seenBy = async (pool: typeof other): Promise<string[]> =>
      (await pool.query<{ s: string }>('select distinct server_id as s from series order by 1')).rows.map(({ s }) => s)
    assert.deepEqual(await seenBy(api.reader), ['Web-2', 'big', 'web-1'])
    assert.deepEqual(await seenBy(other), ['secret-1', 'web-1'])
    assert.equal((await api.reader.query('select from minute where tenant_id = 2 or true and sum = 42')).rowCount, 0)
    assert.equal((await other.query('select from minute')).rowCount, 2)
    // A partition asked by its own name would not be under the parent's policy: it is not readable at all.
    await assert.rejects(api.reader.query('select from minute_block_everything'), /permission denied/)
    await assert.rejects(api.reader.query('delete from minute_block'), /read-only transaction|permission denied/)
    await other.end()
  })
})

/** Reads RFC 4180, by the book. */
function parseCsv(text: string): string[][] {
  const lines: string[][] = []
  let fields: string[] = []
  let field = ''
  let quoted = false
  for (let i = 0; i < text.length; i++) {
    if (quoted && text[i] === '"' && text[i + 1] === '"') field += text[i++]
    else if (text[i] === '"') quoted = !quoted
    else if (!quoted && text[i] === ',') {
      fields.push(field)
      field = ''
    } else if (!quoted && text[i] === '\r' && text[i + 1] === '\n') {
      lines.push([...fields, field])
      fields = []
      field = ''
      i++
    } else field += text[i]
  }
  return lines
}
