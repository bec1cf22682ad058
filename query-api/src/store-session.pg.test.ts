/** Questions that end early: the client goes, the time is up, Postgres goes. The statement must stop in Postgres too. */
import assert from 'node:assert/strict'
import { before, describe, it } from 'node:test'
import { SystemClock, VirtualClock } from '@minutely/lib/clock'
import { createPool } from '@minutely/lib/postgres/pool'
import { silentLog } from '@minutely/lib/postgres/test-database'
import { createRegistry } from '@minutely/lib/process-metrics'
import { createQueryMetrics } from './metrics.ts'
import { inStoreSession, type StoreSession } from './store-session.ts'
import { createTestApi, eventually, lockTable } from './test-api.ts'

const metrics = createQueryMetrics(createRegistry())
let api: Awaited<ReturnType<typeof createTestApi>>
before(async () => {
  api = await createTestApi()
})

/** Runs until somebody stops it. */
const endless = (session: StoreSession) => session.client.query('select pg_sleep(600) as endless')

async function endlessCount(): Promise<number> {
  const { rows } = await api.pool.query<{ n: number }>(
    "select count(*)::integer as n from pg_stat_activity where query like '%as endless' and state = 'active'",
  )
  return rows[0]?.n ?? 0
}

const running = () => eventually(async () => assert.equal(await endlessCount(), 1))
const gone = () => eventually(async () => assert.equal(await endlessCount(), 0))
const timeoutMs = 60_000

describe('a question', () => {
  it('is cancelled in Postgres when its signal fires, and its connection is not used again', async () => {
    const gone499 = new AbortController()
    const asked = inStoreSession(
      endless,
      { signal: gone499.signal, timeoutMs },
      { pool: api.reader, clock: new SystemClock(), metrics },
    )
    await running()
    const before = api.reader.totalCount
    gone499.abort(new Error('the client went away'))
    await assert.rejects(asked, /the client went away/)
    await gone()
    assert.equal(api.reader.totalCount, before - 1)
  })

  it('is a query-timeout when its time is up', async () => {
    const clock = new VirtualClock(0)
    const signal = new AbortController().signal
    const asked = inStoreSession(endless, { signal, timeoutMs: 10_000 }, { pool: api.reader, clock, metrics })
    const refused = assert.rejects(asked, { id: 'query-timeout', status: 503, message: /longer than 10000 ms/ })
    await running()
    await clock.advance(10_000)
    await refused
    await gone()
    assert.equal(clock.pendingCount, 0)
  })

  it('is a query-timeout too when the statement_timeout of the connection is the shorter one', async () => {
    const options = { name: 'brief', connectionsMax: 1, readAsTenantId: 1, statementTimeoutMs: 20 }
    const pool = createPool(api.connection, options, { log: silentLog })
    const signal = new AbortController().signal
    const asked = inStoreSession(endless, { signal, timeoutMs }, { pool, clock: new SystemClock(), metrics })
    await assert.rejects(asked, { id: 'query-timeout' })
    await pool.end()
  })

  it('gives up waiting for a connection when its signal fires', async () => {
    const pool = createPool(api.connection, { name: 'one', connectionsMax: 1, readAsTenantId: 1 }, { log: silentLog })
    const held = await pool.connect()
    const leave = new AbortController()
    const asked = inStoreSession(
      endless,
      { signal: leave.signal, timeoutMs },
      { pool, clock: new SystemClock(), metrics },
    )
    leave.abort(new Error('the client went away'))
    await assert.rejects(asked, /the client went away/)
    held.release()
    // The connection it had been waiting for is free for others.
    assert.equal((await pool.query('select 1 as one')).rowCount, 1)
    await pool.end()
  })

  it('is store-unavailable when Postgres drops its connection, and the next one works', async () => {
    const signal = new AbortController().signal
    const deps = { pool: api.reader, clock: new SystemClock(), metrics }
    const asked = inStoreSession(endless, { signal, timeoutMs }, deps)
    const refused = assert.rejects(asked, { id: 'store-unavailable', status: 503, retryAfterS: 5 })
    await running()
    await api.pool.query(
      "select pg_terminate_backend(pid) from pg_stat_activity where query like '%as endless' and state = 'active'",
    )
    await refused
    const { rows } = await inStoreSession(
      (session) => session.client.query('select 1 as one'),
      { signal, timeoutMs },
      deps,
    )
    assert.deepEqual(rows, [{ one: 1 }])
  })

  it('is store-unavailable when nothing listens', async () => {
    const pool = createPool({ ...api.connection, port: 1 }, { name: 'no', connectionsMax: 1 }, { log: silentLog })
    const signal = new AbortController().signal
    const asked = inStoreSession(endless, { signal, timeoutMs }, { pool, clock: new SystemClock(), metrics })
    await assert.rejects(asked, { id: 'store-unavailable', message: /ECONNREFUSED/ })
    await pool.end()
  })
})

describe('an HTTP client that goes away', () => {
  it('ends its statement', async () => {
    // A lock makes the range wait as long as the test wants.
    const { waiting, release } = await lockTable(api.pool, 'partition_progress')
    const browser = new AbortController()
    const asked = api.get('/v1/servers/a/series', { signal: browser.signal })
    const aborted = assert.rejects(asked, { name: 'AbortError' })
    await eventually(async () => assert.equal(await waiting(), 1))
    browser.abort()
    await aborted
    await eventually(async () => assert.equal(await waiting(), 0))
    await release()
    await eventually(async () => {
      assert.match(
        await api.registry.metrics(),
        /minutely_query_answers_total\{route="\/v1\/servers\/:serverId\/series",status="499"\} 1/,
      )
    })
  })
})
