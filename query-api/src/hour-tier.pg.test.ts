/** Steps of whole hours, from rows, blocks or the hour tier: the same bytes; and what is said where only hours are left. */
import assert from 'node:assert/strict'
import { before, describe, it } from 'node:test'
import { createPool } from '@minutely/lib/postgres/pool'
import { silentLog } from '@minutely/lib/postgres/test-database'
import { minuteMs } from '@minutely/schema/limits'
import { createTestApi, insertSeries, setCompleteThrough, startMs } from './test-api.ts'
import { packHour, rollHours, settleHours } from './test-sealed.ts'

const hourMs = 3_600_000
const hour = startMs / hourMs
let api: Awaited<ReturnType<typeof createTestApi>>

/** 08:20 to 14:30, with gaps; 10:00 to 11:00 is missing in some. */
const minutesOf = (phase: number) =>
  Array.from({ length: 370 }, (_, minute) => ({
    atMs: startMs - 220 * minuteMs + minute * minuteMs,
    // Sums of floats that depend on their order, and decimals.
    values: Array.from({ length: 1 + ((minute + phase) % 60) }, (_, second) =>
      phase === 5 ? (second + minute) / 10 : Math.sqrt(second + minute * phase + 2),
    ),
  })).filter((_, minute) => (minute + phase) % 11 !== 0 && (phase !== 2 || minute < 100 || minute >= 160))

before(async () => {
  api = await createTestApi()
  for (const [index, serverId] of ['web-1', 'web-2'].entries()) {
    await insertSeries(api.pool, { serverId, metricId: 'cpu', labels: {} }, minutesOf(index + 1))
    await insertSeries(api.pool, { serverId, metricId: 'load', labels: { a: '1' } }, minutesOf(5))
  }
  await insertSeries(api.pool, { serverId: 'web-1', metricId: 'old', labels: {} }, minutesOf(1).slice(0, 30))
  await api.pool.query("insert into tenant (name) values ('other')")
  await insertSeries(api.pool, { serverId: 'web-1', metricId: 'cpu', labels: {}, tenantId: 2 }, minutesOf(9))
  await setCompleteThrough(api.pool, startMs + 150 * minuteMs)
})

const at = (hours: number): number => startMs + hours * hourMs
const questions = [
  `/v1/servers/web-1/series?from=${at(-4)}&to=${at(3)}&stepMs=${hourMs}`,
  `/v1/servers/web-1/series?from=${at(-3)}&to=${at(1)}&stepMs=${2 * hourMs}`,
  `/v1/servers/web-2/series?from=${at(-30)}&to=${at(30)}&stepMs=${24 * hourMs}`,
  `/v1/servers/web-1/series?metricId=load&from=${at(-1)}&to=${at(0)}&stepMs=${hourMs}`,
  `/v1/metrics/cpu/series?from=${at(-4)}&to=${at(3)}&stepMs=${hourMs}&order=avg:desc&quantile=0.5`,
  `/v1/metrics/load/series?from=${at(-6)}&to=${at(6)}&stepMs=${3 * hourMs}&order=max:asc`,
]

async function answers(): Promise<string[]> {
  return Promise.all(
    questions.map(async (question) => {
      const answer = await api.get(question)
      assert.equal(answer.status, 200, question)
      return `${answer.headers.get('etag')} ${await answer.text()}`
    }),
  )
}

const late = [{ atMs: at(-2) + minuteMs, values: [1_000_000, 2_000_000] }]
const tables = async (where: string) => api.pool.query(`delete from ${where}`)

describe('steps of whole hours', () => {
  it('are the same bytes from rows, from blocks beside rows, from the hour tier, and when minutes are gone', async () => {
    const fromRows = await answers()
    assert.ok(fromRows.every((text) => text.length > 200))
    const hours = [hour - 4, hour - 3, hour - 2, hour - 1]
    for (const one of hours) await packHour(api.pool, one)
    assert.deepEqual(await answers(), fromRows)
    await rollHours(api.pool, hours)
    assert.deepEqual(await answers(), fromRows)
    await settleHours(api.pool, [hour - 4, hour - 2])
    assert.deepEqual(await answers(), fromRows)
    await settleHours(api.pool, hours)
    assert.deepEqual(await answers(), fromRows)
    const saved = await api.pool.query('select * from hour_block')
    await tables('hour_block')
    assert.deepEqual(await answers(), fromRows)
    // An hour that is sealed again: its blocks count, not its day blocks.
    for (const row of saved.rows) {
      const values = [row.series_id, row.hour, row.tenant_id, row.block]
      await api.pool.query(
        'insert into hour_block (series_id, hour, tenant_id, block, class) values ($1, $2, $3, $4, 0)',
        values,
      )
    }
    await api.pool.query('update hour_seal set dirty = true where hour = $1', [hour - 3])
    assert.deepEqual(await answers(), fromRows)
  })

  it('have late data, with another ETag, before it is sealed; none of it where minutes are past their retention', async () => {
    const question = `/v1/servers/web-1/series?metricId=cpu&from=${at(-3)}&to=${at(0)}&stepMs=${hourMs}&agg=max`
    const ask = async () => {
      const answer = await api.get(question)
      const { series } = (await answer.json()) as { series: [{ max: (number | null)[] }] }
      return { etag: answer.headers.get('etag'), max: series[0].max }
    }
    const before = await ask()
    await insertSeries(api.pool, { serverId: 'web-1', metricId: 'cpu', labels: {} }, late)
    await api.pool.query('update hour_seal set dirty = true where hour = $1', [hour - 2])
    const after = await ask()
    assert.deepEqual(after.max, [before.max[0], 2_000_000, before.max[2]])
    assert.notEqual(after.etag, before.etag)
    await tables('hour_block')
    assert.deepEqual(await ask(), before)
    const listed = (await (await api.get('/v1/servers/web-1/metrics')).json()) as {
      metrics: { metricId: string; lastSeenMs: number }[]
    }
    assert.equal(
      listed.metrics.find(({ metricId }) => metricId === 'old')?.lastSeenMs,
      at(-3),
      'the end of its last hour',
    )
    await tables('minute where sum = 3000000')
  })

  it('show nothing of another tenant, also below our SQL', async () => {
    const options = { name: 'other', connectionsMax: 1, readAsTenantId: 2 }
    const other = createPool(api.connection, options, { log: silentLog })
    const count = 'select count(distinct series_id)::integer as n from day_block'
    assert.deepEqual((await other.query(count)).rows, [{ n: 1 }])
    assert.deepEqual((await api.reader.query(count)).rows, [{ n: 5 }])
    await assert.rejects(api.reader.query('delete from day_block'), /read-only transaction|permission denied/)
    await other.end()
  })
})

describe('shorter steps where only hours are left', () => {
  it('are refused, with the step that has data and from when to when', async () => {
    for (const path of ['/v1/servers/web-1/series', '/v1/metrics/cpu/series']) {
      const answer = await api.get(`${path}?from=${at(-4)}&to=${at(-2)}&stepMs=60000`)
      const { error, message, details } = (await answer.json()) as { error: string; message: string; details: unknown }
      assert.deepEqual([answer.status, error], [422, 'step-too-fine'])
      assert.match(message, /stepMs=3600000, or a multiple of it, has data/)
      assert.deepEqual(details, { stepMs: 60_000, fittingStepMs: hourMs, hoursFromMs: at(-4), hoursToMs: at(-2) })
    }
    const within = await api.get(`/v1/servers/web-1/series?from=${at(-3) + minuteMs}&to=${at(-3) + 9 * minuteMs}`)
    assert.equal(within.status, 422)
  })

  it('have what minutes there are, and are empty where there is nothing at all', async () => {
    const partly = await api.get(`/v1/servers/web-1/series?from=${at(-4)}&to=${at(1)}&stepMs=600000`)
    assert.equal(partly.status, 200)
    const none = await api.get(`/v1/servers/web-1/series?from=${at(-90)}&to=${at(-80)}&stepMs=60000`)
    assert.equal(none.status, 200)
  })

  it('are empty, not refused, where the hour has minutes but the range has none', async () => {
    const after = `from=${at(2) + 35 * minuteMs}&to=${at(2) + 45 * minuteMs}&stepMs=60000`
    for (const path of ['/v1/servers/web-2/series', '/v1/metrics/load/series']) {
      const answer = await api.get(`${path}?${after}`)
      assert.equal(answer.status, 200, await answer.text())
    }
  })

  it('of a day block that cannot be read are 500, with its series', async () => {
    await api.pool.query("update day_block set block = '\\x63'")
    const answer = await api.get(questions[0] ?? '')
    assert.deepEqual(
      [answer.status, ((await answer.json()) as { error: string }).error],
      [500, 'stored-hour-unreadable'],
    )
  })
})
