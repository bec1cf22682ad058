/** GET /v1/ingest and the fleet's live summary: what collectors and aggregators stored about themselves, added up. */
import assert from 'node:assert/strict'
import { before, describe, it } from 'node:test'
import { ingestMetrics, ingestServerId } from '@minutely/schema/ingest-names'
import { type IngestAnswer, ingestAnswer } from '@minutely/schema/ingest-wire'
import { minuteMs } from '@minutely/schema/limits'
import { createTestApi, insertSeries, nowMs, setCompleteThrough, startMs } from './test-api.ts'
import { openStream } from './test-stream.ts'

const at = (minute: number): number => startMs + minute * minuteMs

let api: Awaited<ReturnType<typeof createTestApi>>
before(async () => {
  api = await createTestApi()
})

async function ask(query = ''): Promise<IngestAnswer> {
  const response = await api.get(`/v1/ingest${query}`)
  assert.equal(response.status, 200, await response.clone().text())
  return ingestAnswer.parse(await response.json())
}

/** A sample's worth of counts a minute. */
const report = (
  metric: keyof typeof ingestMetrics,
  labels: Record<string, string>,
  byMinute: Record<number, number[]>,
) =>
  insertSeries(
    api.pool,
    { serverId: ingestServerId, metricId: ingestMetrics[metric], labels },
    Object.entries(byMinute).map(([minute, values]) => ({ atMs: at(Number(minute)), values })),
  )

describe('ingest health', () => {
  it('is empty before anything was sent', async () => {
    const answer = await ask()
    assert.deepEqual([answer.rejected, answer.hosts, answer.requests, answer.sources], [[], [], [], []])
    assert.ok(answer.accepted.length === 60 && answer.accepted.every((count) => count === null))
    assert.deepEqual(answer.lag, { partitionCount: 0, worstMs: null, partitions: [] })
    assert.equal(answer.logGapCount, 0)
  })

  it('adds up all sources, by reason, host and source', async () => {
    await report('samples', { outcome: 'accepted', source: 'c-1' }, { 57: [10, 20], 58: [5] })
    await report('samples', { outcome: 'accepted', source: 'c-2' }, { 57: [100] })
    const rejected = { outcome: 'rejected', source: 'c-1' }
    await report('samples', { ...rejected, reason: 'time-too-old', host: 'web-1' }, { 57: [3], 58: [4] })
    await report('samples', { ...rejected, reason: 'value-too-large', host: 'web-1' }, { 57: [1] })
    await report('samples', { ...rejected, reason: 'time-too-old', host: '(other hosts)', source: 'c-2' }, { 58: [2] })
    await report('samples', { ...rejected, reason: 'of-a-newer-version', host: 'web-1' }, { 58: [9] })
    await report('samples', { outcome: 'late', source: 'a-1' }, { 57: [0, 0], 58: [6] })
    await report('samples', { outcome: 'conflicting', source: 'a-1' }, { 58: [7] })
    await report('requests', { error: 'overloaded', source: 'c-2' }, { 57: [2, 3] })
    await report('lag', { source: 'a-1' }, { 57: [12.5, 70] })
    await report('lag', { source: 'a-2' }, { 57: [80] })
    await setCompleteThrough(api.pool, at(59))
    await setCompleteThrough(api.pool, at(58), 1)
    await api.pool.query(
      `insert into log_gap (topic, partition, from_position, to_position, reason, noticed_at) values ('samples', 0, 1, 5, 'retention', $1)`,
      [new Date(at(57))],
    )
    const answer = await ask(`?from=${at(56)}&to=${at(60)}&stepMs=60000`)
    assert.deepEqual(answer.accepted, [null, 130, 5, null])
    assert.deepEqual(answer.late, [null, 0, 6, null])
    assert.deepEqual(answer.conflicting, [null, null, 7, null])
    assert.deepEqual(answer.lagSeconds, [null, 80, null, null])
    assert.deepEqual(answer.rejected, [
      { reason: 'time-too-old', total: 9, counts: [null, 3, 6, null] },
      { reason: 'value-too-large', total: 1, counts: [null, 1, null, null] },
    ])
    assert.deepEqual(answer.requests, [{ error: 'overloaded', total: 5, counts: [null, 5, null, null] }])
    assert.deepEqual(answer.hosts, [
      {
        host: 'web-1',
        total: 8,
        lastMs: at(58),
        reasons: [
          { reason: 'time-too-old', total: 7 },
          { reason: 'value-too-large', total: 1 },
        ],
      },
      { host: '(other hosts)', total: 2, lastMs: at(58), reasons: [{ reason: 'time-too-old', total: 2 }] },
    ])
    const none = { accepted: 0, rejected: 0, late: 0, conflicting: 0, requests: 0 }
    assert.deepEqual(answer.sources, [
      { ...none, source: 'a-1', lastMs: at(58), late: 6, conflicting: 7 },
      { ...none, source: 'c-1', lastMs: at(58), accepted: 35, rejected: 17 },
      { ...none, source: 'c-2', lastMs: at(58), accepted: 100, rejected: 2, requests: 5 },
    ])
    assert.deepEqual([answer.completeThroughMs, answer.provisionalFromMs, answer.logGapCount], [at(58), at(58), 1])
    assert.deepEqual([answer.lag.partitionCount, answer.lag.worstMs], [2, nowMs - at(58)])
    assert.deepEqual(answer.lag.partitions[0], {
      topic: 'samples',
      partition: 1,
      completeThroughMs: at(58),
      lagMs: nowMs - at(58),
    })
    const coarse = await ask(`?from=${at(50)}&to=${at(60)}&stepMs=600000`)
    assert.deepEqual([coarse.accepted, coarse.late], [[135], [6]])
  })

  it('is in no list of servers, and answers by its name', async () => {
    await insertSeries(api.pool, { serverId: 'web-1', metricId: 'm', labels: {} }, [{ atMs: at(57), values: [1] }])
    const { servers } = (await (await api.get('/v1/servers')).json()) as { servers: { serverId: string }[] }
    assert.deepEqual(
      servers.map(({ serverId }) => serverId),
      ['web-1'],
    )
    const own = await api.get(`/v1/servers/${encodeURIComponent(ingestServerId)}/metrics`)
    assert.equal(own.status, 200)
  })

  it('gives the fleet its samples a minute', async () => {
    const stream = await openStream(api, '/v1/live')
    await stream.next()
    const progress = await stream.next()
    assert.deepEqual(progress?.data, {
      completeThroughMs: at(58),
      servers: { total: 1, live: 1, late: 0, silent: 0 },
      samplesPerMinute: 130,
    })
    stream.close()
  })

  it('is answered however many hosts and collectors there were before', async () => {
    const small = await createTestApi({ pointsMax: 1_000 })
    const rejected = { outcome: 'rejected', reason: 'time-too-old', source: 'c-1' }
    const add = (host: string, minute: number) =>
      insertSeries(
        small.pool,
        { serverId: ingestServerId, metricId: ingestMetrics.samples, labels: { ...rejected, host } },
        [{ atMs: at(minute), values: [1] }],
      )
    for (let n = 0; n < 300; n++) await add(`gone-${n}`, 10)
    await add('web-1', 57)
    await setCompleteThrough(small.pool, at(59))
    const response = await small.get(`/v1/ingest?from=${at(55)}&to=${at(59)}&stepMs=60000`)
    assert.equal(response.status, 200, await response.clone().text())
    const { hosts, rejected: reasons } = ingestAnswer.parse(await response.json())
    assert.deepEqual(
      hosts.map(({ host }) => host),
      ['web-1'],
    )
    assert.deepEqual(reasons, [{ reason: 'time-too-old', total: 1, counts: [null, null, 1, null] }])
    const all = await small.get(`/v1/ingest?from=${at(9)}&to=${at(59)}&stepMs=60000`)
    assert.equal(all.status, 422)
  })

  it('refuses what it has no parameter for', async () => {
    for (const query of ['?metricId=m', '?stepMs=1', '?from=now&to=-1h']) {
      assert.equal((await api.get(`/v1/ingest${query}`)).status, 400, query)
    }
  })
})
