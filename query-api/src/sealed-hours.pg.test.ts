/** Answers from hours that are packed, wholly or with rows beside their blocks: the same bytes as from rows alone. */
import assert from 'node:assert/strict'
import { before, describe, it } from 'node:test'
import { createPool } from '@minutely/lib/postgres/pool'
import { silentLog } from '@minutely/lib/postgres/test-database'
import { minuteMs } from '@minutely/schema/limits'
import { createTestApi, insertSeries, setCompleteThrough, startMs } from './test-api.ts'
import { packHour } from './test-sealed.ts'

const hourMs = 3_600_000
const hour = startMs / hourMs
let api: Awaited<ReturnType<typeof createTestApi>>

const minutesOf = (phase: number) =>
  Array.from({ length: 130 }, (_, minute) => ({
    atMs: startMs - 40 * minuteMs + minute * minuteMs,
    // Sums of floats that depend on their order.
    values: Array.from({ length: 1 + ((minute + phase) % 60) }, (_, second) => Math.sqrt(second + minute * phase + 2)),
  })).filter((_, minute) => (minute + phase) % 11 !== 0)

before(async () => {
  api = await createTestApi()
  for (const [index, serverId] of ['web-1', 'web-2'].entries()) {
    await insertSeries(api.pool, { serverId, metricId: 'cpu', labels: {} }, minutesOf(index + 1))
    await insertSeries(api.pool, { serverId, metricId: 'load', labels: { a: '1' } }, minutesOf(index + 5))
  }
  await api.pool.query("insert into tenant (name) values ('other')")
  await insertSeries(api.pool, { serverId: 'web-1', metricId: 'cpu', labels: {}, tenantId: 2 }, minutesOf(9))
  await setCompleteThrough(api.pool, startMs + 90 * minuteMs)
})

const range = `from=${startMs - 30 * minuteMs}&to=${startMs + 80 * minuteMs}`
const questions = [
  `/v1/servers/web-1/series?${range}&stepMs=60000`,
  `/v1/servers/web-1/series?${range}&stepMs=600000`,
  `/v1/servers/web-1/series?from=${startMs - 2 * hourMs}&to=${startMs + 3 * hourMs}&stepMs=3600000`,
  `/v1/servers/web-2/series?from=${startMs + 7 * minuteMs}&to=${startMs + 8 * minuteMs}&stepMs=60000`,
  `/v1/metrics/cpu/series?${range}&stepMs=300000&order=avg:desc&quantile=0.5`,
  `/v1/metrics/load/series?${range}&stepMs=60000`,
  '/v1/servers/web-1/metrics',
]

async function answers(): Promise<string[]> {
  return Promise.all(
    questions.map(async (question) => {
      const answer = await api.get(question)
      assert.equal(answer.status, 200, question)
      return answer.text()
    }),
  )
}

const dropRows = (where: string) => api.pool.query(`delete from minute where ${where}`)

describe('answers from packed hours', () => {
  it('are those from rows: with all rows beside the blocks, with some, and with none', async () => {
    const fromRows = await answers()
    assert.ok(fromRows.every((text) => text.length > 100))
    for (const at of [hour - 1, hour, hour + 1]) await packHour(api.pool, at)
    assert.deepEqual(await answers(), fromRows)
    await dropRows(`extract(epoch from minute_at)::integer / 60 % 3 = 0 or series_id % 2 = 0`)
    assert.deepEqual(await answers(), fromRows)
    await dropRows('true')
    assert.deepEqual(await answers(), fromRows)
  })

  it('have late data: a row takes the place of what the block has of its minute', async () => {
    const question = `/v1/servers/web-1/series?metricId=cpu&from=${startMs}&to=${startMs + 3 * minuteMs}&agg=sum&agg=count`
    const sums = async () => ((await (await api.get(question)).json()) as { series: [{ sum: number[] }] }).series[0].sum
    const before = await sums()
    await insertSeries(api.pool, { serverId: 'web-1', metricId: 'cpu', labels: {} }, [
      { atMs: startMs + minuteMs, values: [1_000, 2_000] },
    ])
    assert.deepEqual(await sums(), [before[0], 3_000, before[2]])
  })

  it('show nothing of another tenant, also below our SQL', async () => {
    const options = { name: 'other', connectionsMax: 1, readAsTenantId: 2 }
    const other = createPool(api.connection, options, { log: silentLog })
    const count = 'select count(distinct series_id)::integer as n from hour_block'
    assert.deepEqual((await other.query(count)).rows, [{ n: 1 }])
    assert.deepEqual((await api.reader.query(count)).rows, [{ n: 4 }])
    await assert.rejects(api.reader.query('delete from hour_block'), /read-only transaction|permission denied/)
    await other.end()
  })

  it('of a block that cannot be read are 500, with its series and hour, and others are answered', async () => {
    await api.pool.query("update hour_block set block = '\\x6300' where hour = $1", [hour])
    const answer = await api.get(questions[0] ?? '')
    const { error, message, details } = (await answer.json()) as {
      error: string
      message: string
      details: { hour: number }
    }
    assert.deepEqual([answer.status, error, details.hour], [500, 'stored-hour-unreadable', hour])
    assert.match(message, /block of series \d+, hour \d+ \(2026-01-05T12:00:00.000Z\) cannot be read/)
    const earlier = `/v1/servers/web-1/series?from=${startMs - 30 * minuteMs}&to=${startMs}`
    assert.equal((await api.get(earlier)).status, 200)
    assert.match(await api.registry.metrics(), /minutely_query_unreadable_hours_total 1/)
  })
})
