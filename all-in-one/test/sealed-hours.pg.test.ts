/**
 * What readers are told while hours are sealed behind them: the same bytes before, between any two steps, and after. Sealer and query API
 * are the real ones, over one database.
 */
import assert from 'node:assert/strict'
import { it } from 'node:test'
import { createHourSealer } from '@minutely/aggregator/sealing/hour-sealer'
import { VirtualClock } from '@minutely/lib/clock'
import { loadConfig } from '@minutely/lib/config'
import { createHttpServer } from '@minutely/lib/http-server'
import { LocalLiveChannel } from '@minutely/lib/live/local-live-channel'
import { insertPacked } from '@minutely/lib/minute-tiers/pack-rows'
import { createPool, type Pool } from '@minutely/lib/postgres/pool'
import { createTestDatabase, silentLog } from '@minutely/lib/postgres/test-database'
import { createRegistry } from '@minutely/lib/process-metrics'
import { AbsentRecentRing } from '@minutely/lib/recent-ring/absent-recent-ring'
import { createQueryApi } from '@minutely/query-api/service'
import { allInOneSettings } from '../src/config.ts'

const hourMs = 3_600_000
const startMs = Date.UTC(2027, 0, 15, 22)
const hours = 3
const nowMs = startMs + hours * hourMs + 90 * 60_000
const seriesCount = 10

/** Rows as an aggregator has stored them: decimals, floats, gaps, minutes with few seconds, over midnight. */
async function fill(pool: Pool): Promise<void> {
  const instant = (hour: number): string => new Date(startMs + hour * hourMs).toISOString()
  await pool.query("insert into server values (1, 'web', $1, $2)", [instant(0), instant(hours)])
  await pool.query(
    `insert into series (tenant_id, identity, server_id, metric_id, labels, first_seen_at)
     select 1, gen_random_uuid(), 'web', 'm' || n, '{}', $1 from generate_series(1, ${seriesCount}) as n`,
    [instant(0)],
  )
  for (let hour = 0; hour < hours; hour++) {
    const name = `minute_block_${instant(hour).slice(0, 13).replace(/\D/g, '')}`
    await pool.query(
      `create table ${name} partition of minute_block for values from ('${instant(hour)}') to ('${instant(hour + 1)}')`,
    )
  }
  const rows = `select series_id, 1 as tenant_id, minute_at,
       case when series_id % 3 = 0 then 1152921504606846975 else 1 + (random() * 1e15)::bigint end as seen,
       case when series_id % 2 = 0 then round((random() * 100)::numeric, 2) else random() end::float8 as min, 100 + random() as max,
       case when series_id % 2 = 0 then round((random() * 6000)::numeric, 2) else random() * 6000 end::float8 as sum
     from series cross join generate_series('${instant(0)}'::timestamptz, '${instant(hours)}'::timestamptz - interval '1 minute', '1 minute') as minute_at
     where random() < 0.9`
  await pool.query(insertPacked(rows))
  await pool.query("insert into partition_progress values ('samples', 0, 1, $1)", [new Date(nowMs)])
}

async function startQueryApi({ reader, annotator }: { reader: Pool; annotator: Pool }) {
  const { query } = loadConfig({ query: allInOneSettings.query }, {})
  const [clock, registry] = [new VirtualClock(nowMs), createRegistry()]
  const deps = {
    pool: reader,
    annotator,
    live: new LocalLiveChannel(),
    ring: new AbsentRecentRing(),
    clock,
    log: silentLog,
    registry,
  }
  const api = createQueryApi(query, deps)
  const http = createHttpServer(
    { host: '127.0.0.1', port: 0 },
    { log: silentLog, registry, plugins: [api.plugin], readiness: [] },
  )
  await http.start()
  const range = `from=${startMs + 600_000}&to=${startMs + (hours - 0.5) * hourMs}`
  const questions = [60_000, 300_000, 3_600_000].map((stepMs) => `/v1/servers/web/series?${range}&stepMs=${stepMs}`)
  questions.push(`/v1/metrics/m7/series?${range}&stepMs=1800000&quantile=0.5`, '/v1/servers/web/metrics')
  const answers = (): Promise<string[]> =>
    Promise.all(
      questions.map(async (question) => {
        const answer = await fetch(http.url + question)
        assert.equal(answer.status, 200, question)
        return answer.text()
      }),
    )
  const stop = async (): Promise<void> => {
    await http.stop()
    await api.stop()
    await reader.end()
  }
  return { answers, stop }
}

it('the same questions have the same answers, byte for byte, at every step of sealing', async (context) => {
  const { pool, connection } = await createTestDatabase()
  await fill(pool)
  const reader = createPool(connection, { name: 'query', connectionsMax: 6, readAsTenantId: 1 }, { log: silentLog })
  const annotator = createPool(connection, { name: 'a', connectionsMax: 1, annotateAsTenantId: 1 }, { log: silentLog })
  const { answers, stop } = await startQueryApi({ reader, annotator })
  context.after(stop)
  const before = await answers()
  assert.ok(before.every((text) => text.length > 300))
  const points: string[] = []
  const config = {
    sealAfterMinutes: 60,
    resealAfterMinutes: 15,
    sealEveryMs: 60_000,
    retentionHours: 48,
    hourRetentionDays: 400,
    retentionByMetric: [],
    sealRowsPerS: Number.POSITIVE_INFINITY,
    sealSliceRowsMax: 300,
  }
  const reached = async (point: string): Promise<void> => {
    points.push(point)
    assert.deepEqual(await answers(), before, `after ${points.join()}`)
  }
  const clock = new VirtualClock(nowMs)
  // It pauses when readers do not make room for it: as long as they need for a turn.
  clock.sleep = () => new Promise((resolve) => setImmediate(resolve))
  const deps = { pool, clock, log: silentLog, registry: createRegistry(), reached }
  const sealer = createHourSealer(config, deps)
  // Questions that run into the steps, wherever they are then.
  let isDone = false
  const others = (async () => {
    while (!isDone) assert.deepEqual(await answers(), before)
  })()
  context.after(() => sealer.stop())
  await sealer.look().finally(() => {
    isDone = true
  })
  await others
  assert.deepEqual(await answers(), before)
  const { rows } = await pool.query('select count(*)::integer as n from minute')
  assert.deepEqual([rows[0]?.n, points.filter((point) => point === 'finished').length], [0, hours])
})
