/** What is said of the disk: sizes of a database that was filled and sealed by hand, and the forecast that follows. */
import assert from 'node:assert/strict'
import { before, describe, it } from 'node:test'
import { minuteMs } from '@minutely/schema/limits'
import type { StorageAnswer } from '@minutely/schema/query-wire'
import { createTestApi, insertSeries, nowMs, setCompleteThrough, startMs } from './test-api.ts'
import { packHour, rollHours, settleHours } from './test-sealed.ts'

const hour = startMs / 3_600_000
const dayMs = 86_400_000
let api: Awaited<ReturnType<typeof createTestApi>>

async function read(): Promise<StorageAnswer> {
  await api.clock.advance(11_000)
  const answer = await api.get('/v1/storage')
  assert.equal(answer.status, 200)
  return (await answer.json()) as StorageAnswer
}

const tierOf = (answer: StorageAnswer, name: string) =>
  answer.tiers.find(({ tier }) => tier === name) ?? assert.fail(name)

before(async () => {
  api = await createTestApi()
  const minutes = Array.from({ length: 180 }, (_, minute) => ({
    atMs: startMs + (minute - 180) * minuteMs,
    values: [minute],
  }))
  await insertSeries(api.pool, { serverId: 'web-1', metricId: 'cpu', labels: {} }, minutes)
  await setCompleteThrough(api.pool, startMs)
})

describe('storage', () => {
  it('says how much there is, and no forecast before hours were sealed', async () => {
    const answer = await read()
    const total = answer.tiers.reduce((sum, { storedBytes }) => sum + storedBytes, 0)
    assert.equal(total, answer.storedBytes)
    assert.ok(tierOf(answer, 'minutes').storedBytes > 0)
    assert.deepEqual(
      [answer.settledBytes, answer.settledAtMs, answer.measuredHours, answer.disk],
      [null, null, 0, null],
    )
    assert.doesNotMatch(await api.registry.metrics(), /minutely_store_settled_bytes \d/)
  })

  it('forecasts from what the last hours brought, by the retention of each class', async () => {
    const hours = [hour - 3, hour - 2, hour - 1]
    for (const one of hours) await packHour(api.pool, one)
    await rollHours(api.pool, hours)
    await settleHours(api.pool, hours)
    await api.pool.query(`insert into sealed_count select hour, 0, 60, 1 from unnest($1::integer[]) as hour`, [hours])
    const answer = await read()
    const [sealed, rolled] = [tierOf(answer, 'sealed-minutes'), tierOf(answer, 'hours')]
    assert.deepEqual([answer.measuredHours, sealed.seriesMinutes, rolled.seriesMinutes], [2, 180, 180])
    assert.equal(sealed.oldestMs, (hour - 3) * 3_600_000)
    assert.equal(sealed.bytesPerSeriesMinute, Math.round((sealed.storedBytes / 180) * 1_000) / 1_000)
    // An hour brings a third of what is there; 48 hours and a day are kept.
    assert.equal(sealed.perDayBytes, 8 * sealed.storedBytes)
    assert.equal(sealed.settledBytes, 24 * sealed.storedBytes)
    assert.equal(sealed.settledAtMs, answer.nowMs + Math.round((23 / 8) * dayMs))
    assert.equal(rolled.settledBytes, 8 * 401 * rolled.storedBytes)
    const grown = (sealed.settledBytes ?? 0) + (rolled.settledBytes ?? 0)
    assert.equal(answer.settledBytes, answer.storedBytes - sealed.storedBytes - rolled.storedBytes + grown)
    assert.equal(answer.settledAtMs, rolled.settledAtMs)
    const metrics = await api.registry.metrics()
    assert.match(metrics, new RegExp(`minutely_store_bytes\\{tier="hours"\\} ${rolled.storedBytes}\n`))
    assert.match(metrics, new RegExp(`minutely_store_settled_bytes ${answer.settledBytes}\n`))
  })

  it('takes what is kept for another time for itself', async () => {
    const before = await read()
    await api.pool.query("insert into retention_class values (1, 'debug.*', 6, 24, true)")
    await api.pool.query('insert into sealed_count values ($1, 1, 180, 3)', [hour - 1])
    const answer = await read()
    const [was, is] = [tierOf(before, 'sealed-minutes'), tierOf(answer, 'sealed-minutes')]
    // Twice as many series-minutes in the same bytes; of a day of the rest half as much, of the class 6 hours.
    assert.equal(is.seriesMinutes, 180)
    assert.equal(is.settledBytes, (was.settledBytes ?? 0) + (180 / 2) * 24 * (was.storedBytes / 180) * (6 / 24))
  })

  it('refuses what it does not know, and other methods', async () => {
    assert.equal((await api.get('/v1/storage?from=1')).status, 400)
    assert.equal((await api.get('/v1/storage', { method: 'POST' })).status, 405)
    assert.ok(nowMs > 0)
  })
})
