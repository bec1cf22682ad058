/**
 * Answers from memory: after any sequence of sealing, late data, sealing anew and new series the same as from the store, and never
 * older than the question.
 */
import assert from 'node:assert/strict'
import { before, describe, it } from 'node:test'
import { AbsentRecentRing } from '@minutely/lib/recent-ring/absent-recent-ring'
import { HourBlockEncoder } from '@minutely/schema/hour-block/encode-hour-block'
import { createMinuteColumns } from '@minutely/schema/hour-block/minute-columns'
import { minuteMs } from '@minutely/schema/limits'
import { createTestApi, insertSeries, setCompleteThrough, startMs } from './test-api.ts'

const hourMs = 3_600_000
const firstHour = startMs / hourMs - 4
const hours = 6
type Api = Awaited<ReturnType<typeof createTestApi>>
let api: Api
let seed = Number(process.argv.at(-1)) || 20_261_121

/** A linear congruential generator, so that a failure can be repeated. */
function random(below: number): number {
  seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0
  return Math.floor((seed / 2 ** 32) * below)
}

const minutesOf = (phase: number) =>
  Array.from({ length: hours * 60 }, (_, minute) => ({
    atMs: firstHour * hourMs + minute * minuteMs,
    // Sums of floats that depend on their order, in some hours.
    values: Array.from({ length: 1 + ((minute + phase) % 60) }, (_, second) =>
      minute % 120 < 60 ? Math.sqrt(second + minute * phase + 2) : (minute * phase + second) / 100,
    ),
  })).filter((_, minute) => (minute + phase) % 11 !== 0 && !(phase === 2 && minute < 90))

before(async () => {
  api = await createTestApi()
  await api.pool.query('create table aside (like minute)')
  for (const [index, serverId] of ['web-1', 'web-2', 'web-3'].entries()) {
    await insertSeries(api.pool, { serverId, metricId: 'cpu', labels: {} }, minutesOf(index + 1))
    await insertSeries(api.pool, { serverId, metricId: 'load', labels: { a: '1' } }, minutesOf(index + 5))
  }
  await setCompleteThrough(api.pool, (firstHour + hours) * hourMs)
  for (let day = Math.floor(firstHour / 24); day <= Math.floor((firstHour + hours) / 24); day++) {
    await api.pool.query(
      `create table hour_block_${day} partition of hour_block_c0 for values from (${day * 24}) to (${day * 24 + 24})`,
    )
  }
})

/** As the aggregator does it, in one transaction: what counts is that the row of hour_seal changes with the rest. */
async function seal(hour: number): Promise<void> {
  const client = await api.pool.connect()
  await client.query('begin')
  await client.query(
    `insert into hour_seal (hour, state, tried_at) values ($1, 'sealed', now())
     on conflict (hour) do update set state = 'sealed', dirty = false`,
    [hour],
  )
  const { rows } = await client.query(
    `select series_id, tenant_id, (extract(epoch from minute_at) / 60)::integer % 60 as minute,
            (seen & x'3fffffff'::bigint)::integer as low, (seen >> 30)::integer as high, min, max, sum
     from minute where floor(extract(epoch from minute_at) / 3600) = $1 order by series_id`,
    [hour],
  )
  for (const ofSeries of Map.groupBy(rows, ({ series_id }) => series_id).values()) {
    const { series_id, tenant_id } = ofSeries[0]
    const columns = createMinuteColumns(60)
    for (const { minute, low, high, min, max, sum } of ofSeries) {
      Object.assign(columns.seenLow, { [minute]: low })
      Object.assign(columns.seenHigh, { [minute]: high })
      Object.assign(columns.min, { [minute]: min })
      Object.assign(columns.max, { [minute]: max })
      Object.assign(columns.sum, { [minute]: sum })
    }
    await client.query(
      'insert into hour_block_c0 values ($1, $2, $3, $4) on conflict (series_id, hour) do update set block = excluded.block',
      [series_id, hour, tenant_id, new HourBlockEncoder().encode(columns, 0)],
    )
  }
  // The test keeps the rows of sealed hours aside, so that an hour can be sealed anew with what came late.
  if (rows.length > 0)
    await client.query(
      `delete from aside where floor(extract(epoch from minute_at) / 3600) = ${hour};
     insert into aside select * from minute where floor(extract(epoch from minute_at) / 3600) = ${hour};
     delete from minute where floor(extract(epoch from minute_at) / 3600) = ${hour}`,
    )
  await client.query('commit')
  client.release()
}

/** Late data: the row, and the hour is dirty, in one transaction. */
async function addLate(hour: number): Promise<void> {
  await api.pool.query(
    `begin;
     update hour_seal set dirty = true where hour = ${hour};
     insert into minute select * from aside where floor(extract(epoch from minute_at) / 3600) = ${hour}
       and not exists (select from minute where minute.series_id = aside.series_id and minute.minute_at = aside.minute_at);
     update minute set seen = seen | (1::bigint << 59), sum = sum + ${1 + random(9)}, max = max + 1
     where floor(extract(epoch from minute_at) / 3600) = ${hour} and extract(minute from minute_at) = ${random(60)};
     commit`,
  )
}

function question(): string {
  const from = firstHour * hourMs + random(hours * 60 - 1) * minuteMs
  const to = Math.min((firstHour + hours) * hourMs, from + (1 + random(hours * 60)) * minuteMs)
  const step = [1, 1, 1, 5, 60][random(5)] as number
  const range = `from=${from}&to=${to}&stepMs=${step * minuteMs}`
  const ofMetric = ['', '&limit=2', '&order=max:desc&limit=1', '&quantile=0.5']
  return random(2) === 0
    ? `/v1/servers/web-${1 + random(3)}/series?${range}${['', '&metricId=cpu', '&metricId=l*'][random(3)]}`
    : `/v1/metrics/${['cpu', 'load'][random(2)]}/series?${range}${ofMetric[random(ofMetric.length)]}`
}

async function counter(name: string): Promise<number> {
  const line = (await api.registry.metrics()).split('\n').find((one) => one.startsWith(name))
  return Number(line?.split(' ').at(-1) ?? 0)
}

describe('answers from memory', () => {
  it('are those of the store, whatever was sealed, came late, and was sealed anew', async () => {
    const began = seed
    // The same database, without memory.
    const plain = await createTestApi({ cacheBytesMax: 0 }, () => new AbsentRecentRing(), api)
    for (let round = 0; round < 250; round++) {
      const hour = firstHour + random(hours)
      const what = random(16)
      if (what <= 3) await seal(hour)
      else if (what === 4) await addLate(hour)
      else if (what === 5) {
        const labels = { round: String(round) }
        await insertSeries(api.pool, { serverId: 'web-1', metricId: 'load', labels }, [])
      } else {
        const path = question()
        const [cached, stored] = [await api.get(path), await plain.get(path)]
        const [text, expected] = [await cached.text(), await stored.text()]
        assert.ok(text === expected, `seed ${began}, round ${round}: ${path}: ${text.slice(0, 300)}`)
        assert.equal(cached.headers.get('etag'), stored.headers.get('etag'))
      }
    }
    assert.ok((await counter('minutely_query_sealed_blocks_total{source="cache"}')) > 200)
    assert.ok((await counter('minutely_query_sealed_blocks_total{source="store"}')) > 10)
  })

  it('take one statement when nothing lacks, and none of minutes', async () => {
    for (let hour = firstHour; hour < firstHour + hours; hour++) await seal(hour)
    const path = `/v1/servers/web-2/series?from=${firstHour * hourMs}&to=${(firstHour + hours) * hourMs}&stepMs=60000`
    const first = await (await api.get(path)).text()
    const read = await counter('minutely_query_sealed_blocks_total{source="store"}')
    await api.pool.query('alter table minute rename to minute_away; alter table hour_block rename to hour_block_away')
    try {
      assert.equal(await (await api.get(path)).text(), first)
    } finally {
      await api.pool.query('alter table minute_away rename to minute; alter table hour_block_away rename to hour_block')
    }
    assert.equal(await counter('minutely_query_sealed_blocks_total{source="store"}'), read)
  })
})
