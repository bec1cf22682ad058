import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { migrate, readMigrations } from './migrate.ts'
import { createPool, type Pool, type PostgresConnection } from './pool.ts'
import { createTestDatabase, silentLog } from './test-database.ts'

const released = readMigrations()
const pools: Pool[] = []
after(async () => {
  for (const pool of pools) await pool.end()
})

type Migration = (typeof released)[number]

const migration = (name: string, sql: string): Migration => ({ name, sql, hash: `hash of ${sql}` })

/** Released ones and these behind them. */
const followedBy = (...added: Migration[]): Migration[] => [...released, ...added]

async function appliedNames(pool: Pool): Promise<string[]> {
  const { rows } = await pool.query<{ name: string }>('select name from migration order by name')
  return rows.map(({ name }) => name)
}

function open(connection: PostgresConnection, statementTimeoutMs?: number): Pool {
  const options = { name: 'migrating', connectionsMax: 1, ...(statementTimeoutMs ? { statementTimeoutMs } : {}) }
  const pool = createPool(connection, options, { log: silentLog })
  pools.push(pool)
  return pool
}

test('a fresh database gets every file in order; again, nothing', async () => {
  const { pool } = await createTestDatabase()
  assert.deepEqual(
    await appliedNames(pool),
    released.map(({ name }) => name),
  )
  assert.deepEqual(await migrate(pool), [])
})

test('only what is missing is applied, each once and in order', async () => {
  const { pool } = await createTestDatabase()
  const first = migration('0901-a.sql', 'create table step (n int); insert into step values (1);')
  const second = migration('0902-b.sql', 'update step set n = n * 10 + 2')
  assert.deepEqual(await migrate(pool, followedBy(first)), ['0901-a.sql'])
  assert.deepEqual(await migrate(pool, followedBy(first, second)), ['0902-b.sql'])
  assert.deepEqual(await migrate(pool, followedBy(first, second)), [])
  assert.deepEqual((await pool.query('select n from step')).rows, [{ n: 12 }])
})

test('several processes at once: one applies, the others wait and find it done', async () => {
  const { connection, pool } = await createTestDatabase()
  const added = followedBy(migration('0901-a.sql', 'create table once (n int); insert into once values (1);'))
  const results = await Promise.all([1, 2, 3, 4].map(() => migrate(open(connection), added)))
  assert.deepEqual(results.flat(), ['0901-a.sql'])
  assert.deepEqual((await pool.query('select n from once')).rows, [{ n: 1 }])
})

test('waiting for another process to migrate has no timeout', async () => {
  const { connection, pool } = await createTestDatabase()
  const waiter = open(connection)
  waiter.on('connect', (client) => void client.query(`set lock_timeout = '20ms'; set statement_timeout = '20ms'`))
  const other = await pool.connect()
  await other.query('begin')
  await other.query('select pg_advisory_xact_lock(7070001)')
  const waiting = migrate(waiter, followedBy(migration('0901-a.sql', 'create table later (n int)')))
  const failed = waiting.then(
    () => false,
    () => true,
  )
  // Until it has waited for longer than the timeouts, or has given up.
  const waited = `select from pg_locks where locktype = 'advisory' and not granted and waitstart < clock_timestamp() - interval '60 ms'`
  let gaveUp = false
  void failed.then((result) => {
    gaveUp = result
  })
  while (!gaveUp && (await pool.query(waited)).rowCount === 0);
  await other.query('commit')
  other.release()
  assert.deepEqual(await waiting, ['0901-a.sql'])
})

test('a migration may take longer than a statement of the pool, but not wait for a lock for ever', async () => {
  const { connection, pool } = await createTestDatabase()
  const check = `do $$ begin
    if current_setting('statement_timeout') <> '0' or current_setting('lock_timeout') <> '10s' then
      raise 'statement_timeout %, lock_timeout %', current_setting('statement_timeout'), current_setting('lock_timeout');
    end if;
  end $$`
  const migrating = open(connection, 1000)
  await migrate(migrating, followedBy(migration('0901-a.sql', check)))
  assert.equal((await migrating.query('show statement_timeout')).rows[0].statement_timeout, '1s')
  assert.equal((await appliedNames(pool)).at(-1), '0901-a.sql')
})

test('a file that was changed after it was applied is refused, and nothing is done', async () => {
  const { pool } = await createTestDatabase()
  const [first, ...rest] = released
  const changed = [
    { ...(first ?? assert.fail()), hash: 'another' },
    ...rest,
    migration('0901-a.sql', 'create table x ()'),
  ]
  await assert.rejects(migrate(pool, changed), {
    message: `Migration ${first?.name} was changed after it was applied to this database; migrations are only ever added`,
  })
  assert.equal((await appliedNames(pool)).length, released.length)
})

test('a database of a newer version is refused, and nothing is done', async () => {
  const { pool } = await createTestDatabase()
  await migrate(pool, followedBy(migration('0999-future.sql', 'create table future ()')))
  await assert.rejects(migrate(pool, followedBy(migration('0901-a.sql', 'create table x ()'))), {
    message: /has migration 0999-future\.sql, which this version of Minutely does not know; run the newer version/,
  })
  assert.equal((await pool.query(`select to_regclass('x') as x`)).rows[0].x, null)
})

test('a migration that fails is named and undoes all of this run; mended, it applies', async () => {
  const { pool } = await createTestDatabase()
  const good = migration('0901-a.sql', 'create table good ()')
  const bad = migration('0902-b.sql', 'create table half (); select 1 / 0;')
  await assert.rejects(migrate(pool, followedBy(good, bad)), (error: Error) => {
    assert.equal(error.message, 'Migration 0902-b.sql failed, the database is as it was: division by zero')
    assert.equal((error.cause as { code: string }).code, '22012')
    return true
  })
  const tables = `select to_regclass('good') as good, to_regclass('half') as half`
  assert.deepEqual((await pool.query(tables)).rows, [{ good: null, half: null }])
  assert.deepEqual(await migrate(pool, followedBy(good, { ...bad, sql: 'select 1' })), ['0901-a.sql', '0902-b.sql'])
})

test("a file's hash does not depend on the line ends of the checkout", () => {
  for (const { sql } of released) assert.ok(!sql.includes('\r'))
})
