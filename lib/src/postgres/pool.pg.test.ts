import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import pino from 'pino'
import { createPool, inTransaction, type Pool, type PoolOptions, type PostgresConnection } from './pool.ts'
import { createTestDatabase, silentLog } from './test-database.ts'

const pools: Pool[] = []
after(async () => {
  for (const pool of pools) await pool.end()
})

function open(connection: PostgresConnection, options: Partial<PoolOptions> = {}, log = silentLog): Pool {
  const pool = createPool(connection, { name: 'tested', connectionsMax: 1, ...options }, { log })
  pools.push(pool)
  return pool
}

/** Two tenants with a server each. */
async function withTenants(): Promise<{ connection: PostgresConnection; pool: Pool; tenantIds: number[] }> {
  const { connection, pool } = await createTestDatabase()
  await pool.query(`insert into tenant (name) values ('second')`)
  const { rows } = await pool.query<{ tenant_id: number }>('select tenant_id from tenant order by tenant_id')
  const tenantIds = rows.map(({ tenant_id }) => tenant_id)
  for (const tenantId of tenantIds) {
    await pool.query('insert into server values ($1, $2, now(), now())', [tenantId, `server-of-${tenantId}`])
  }
  return { connection, pool, tenantIds }
}

/** Ends the backend of the pool's only connection, from outside. */
async function breakConnection(admin: Pool, pid: number): Promise<void> {
  const { rows } = await admin.query<{ ended: boolean }>('select pg_terminate_backend($1, 10000) as ended', [pid])
  assert.deepEqual(rows, [{ ended: true }])
}

const pidQuery = 'select pg_backend_pid() as pid'

test('a reader sees the servers of its tenant only', async () => {
  const { connection, tenantIds } = await withTenants()
  for (const tenantId of tenantIds) {
    const { rows } = await open(connection, { readAsTenantId: tenantId }).query('select server_id from server')
    assert.deepEqual(rows, [{ server_id: `server-of-${tenantId}` }])
  }
})

test('an annotator writes annotations of its tenant, and sees and writes nothing else', async () => {
  const { connection, tenantIds } = await withTenants()
  const [first, second] = tenantIds.map((tenantId) => open(connection, { annotateAsTenantId: tenantId }))
  const insert = `insert into annotation (tenant_id, start_at, end_at, text, tags) values ($1, now(), now(), 'x', '{}')`
  await first?.query(insert, [tenantIds[0]])
  await assert.rejects(() => (first as Pool).query(insert, [tenantIds[1]]), { code: '42501' })
  assert.equal((await second?.query('delete from annotation'))?.rowCount, 0)
  const reader = open(connection, { readAsTenantId: tenantIds[1] as number })
  assert.equal((await reader.query('select from annotation')).rowCount, 0)
  await assert.rejects(reader.query('delete from annotation'), { code: /^(25006|42501)$/ } as never)
  const forbidden = [
    'select from server',
    'select from minute_block',
    'select from tenant',
    `update annotation set text = 'y'`,
    'truncate annotation',
    'create table own (n int)',
  ]
  for (const statement of forbidden) {
    await assert.rejects(() => (first as Pool).query(statement), { code: '42501' }, statement)
  }
  assert.equal((await first?.query('delete from annotation'))?.rowCount, 1)
})

test('a reader can write nothing, also when it lifts read-only: it lacks the rights', async () => {
  const { connection, pool } = await withTenants()
  const reader = open(connection, { readAsTenantId: 1 })
  const writes = [
    `insert into server values (1, 'x', now(), now())`,
    `update server set server_id = 'x'`,
    'delete from server',
    'truncate minute_block',
    'drop table server',
    'create table own (n int)',
    `insert into log_record select * from log_record`,
  ]
  for (const write of writes) {
    await assert.rejects(reader.query(write), { code: /^(25006|42501)$/ } as never, write)
    await assert.rejects(reader.query(`begin read write; ${write}; commit`), { code: '42501' }, write)
    await reader.query('rollback')
  }
  const { rows } = await pool.query('select count(*)::int as n from server')
  assert.deepEqual(rows, [{ n: 2 }])
})

test('timeouts, time zone and name are those of the kind of pool', async () => {
  const { connection } = await createTestDatabase()
  const settingsOf = async (options: Partial<PoolOptions>): Promise<string> => {
    const names = ['statement_timeout', 'lock_timeout', 'idle_in_transaction_session_timeout', 'timezone', 'role']
    const list = [...names, 'application_name'].map((name) => `current_setting('${name}')`).join(`, `)
    const { rows } = await open(connection, options).query(`select concat_ws(' ', ${list}) as all`)
    return rows[0].all
  }
  assert.equal(await settingsOf({}), '30s 10s 5s UTC none minutely-tested')
  assert.equal(await settingsOf({ readAsTenantId: 1 }), '10s 10s 5s UTC minutely_query minutely-tested')
  assert.equal(await settingsOf({ statementTimeoutMs: 1234 }), '1234ms 10s 5s UTC none minutely-tested')
})

test('a statement past its timeout is stopped, and the connection goes on', async () => {
  const { connection } = await createTestDatabase()
  const pool = open(connection, { statementTimeoutMs: 50 })
  await assert.rejects(pool.query('select pg_sleep(60)'), { code: '57014' })
  assert.equal((await pool.query('select 1')).rowCount, 1)
})

test('a transaction commits what work did, and gives its result', async () => {
  const { pool } = await createTestDatabase()
  const result = await inTransaction(pool, async (client) => {
    await client.query('create table kept (n int)')
    await client.query('insert into kept values (1)')
    return 'done'
  })
  assert.equal(result, 'done')
  assert.equal((await pool.query('select * from kept')).rowCount, 1)
})

test('a transaction is rolled back when work throws, with the very error; its connection is good for the next', async () => {
  const { connection } = await createTestDatabase()
  const pool = open(connection)
  await pool.query('create table kept (n int)')
  const { rows: before } = await pool.query(pidQuery)
  const error = new Error('changed our mind')
  const failing = inTransaction(pool, async (client) => {
    await client.query('insert into kept values (1)')
    throw error
  })
  await assert.rejects(failing, (thrown) => thrown === error)
  const refused = inTransaction(pool, async (client) => {
    await client.query('insert into kept values (1)')
    await client.query('select 1 / 0')
  })
  await assert.rejects(refused, { code: '22012' })
  assert.deepEqual((await pool.query('select * from kept')).rows, [])
  assert.deepEqual((await pool.query(pidQuery)).rows, before)
})

test('work that swallows a failed statement does not pass for committed', async () => {
  const { connection } = await createTestDatabase()
  const pool = open(connection)
  await pool.query('create table kept (n int)')
  const swallowing = inTransaction(pool, async (client) => {
    await client.query('insert into kept values (1)')
    await client.query('select 1 / 0').catch(() => {})
  })
  await assert.rejects(swallowing, /BUG: .*rolled back/)
  assert.deepEqual((await pool.query('select * from kept')).rows, [])
})

test('a deferred constraint that fails at commit is an error, and the connection goes on', async () => {
  const { connection } = await createTestDatabase()
  const pool = open(connection)
  await pool.query('create table kept (n int unique deferrable initially deferred)')
  const twice = inTransaction(pool, async (client) => {
    await client.query('insert into kept values (1), (1)')
  })
  await assert.rejects(twice, { code: '23505' })
  assert.deepEqual((await pool.query('select * from kept')).rows, [])
})

test('a connection that breaks while held between statements fails the transaction, not the process', async () => {
  const { connection, pool: admin } = await createTestDatabase()
  const pool = open(connection)
  await admin.query('create table kept (n int)')
  let pid = 0
  const broken = inTransaction(pool, async (client) => {
    const { rows } = await client.query<{ pid: number }>(pidQuery)
    pid = rows[0]?.pid ?? 0
    await client.query('insert into kept values (1)')
    const noticed = new Promise((resolve) => client.once('end', resolve))
    await breakConnection(admin, pid)
    await noticed
    await client.query('insert into kept values (2)')
  })
  await assert.rejects(broken)
  const { rows } = await pool.query(pidQuery)
  assert.notEqual(rows[0].pid, pid)
  assert.deepEqual((await admin.query('select * from kept')).rows, [])
})

test('a connection that breaks idle in the pool is logged, in words without the password, and replaced', async () => {
  const { connection, pool: admin } = await createTestDatabase()
  const logged: string[] = []
  const pool = open(connection, {}, pino({ level: 'warn' }, { write: (line) => void logged.push(line) }))
  const { rows } = await pool.query<{ pid: number }>(pidQuery)
  const removed = new Promise((resolve) => pool.once('remove', resolve))
  await breakConnection(admin, rows[0]?.pid ?? 0)
  await removed
  assert.notEqual((await pool.query(pidQuery)).rows[0].pid, rows[0]?.pid)
  assert.equal(logged.length, 1)
  assert.match(logged[0] ?? '', /an idle Postgres connection broke/)
  assert.ok(!logged.join().includes(connection.password))
})
