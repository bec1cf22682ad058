/** Migration 0012 moves rows into minute blocks, and the view `minute` shows them as the rows they were: bit for bit. */
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { readRecord, recordBytes, viewOf } from '@minutely/schema/minute-block/minute-block'
import { migrate, readMigrations } from '../postgres/migrate.ts'
import { createPool } from '../postgres/pool.ts'
import { createTestDatabase, silentLog } from '../postgres/test-database.ts'

const { connection, pool: other } = await createTestDatabase()
await other.query('create database before_blocks')
const pool = createPool(
  { ...connection, database: 'before_blocks' },
  { name: 'before', connectionsMax: 2 },
  { log: silentLog },
)
after(() => pool.end())

const rowColumns =
  'series_id, tenant_id, minute_at, seen::text, float8send(min) as min, float8send(max) as max, float8send(sum) as sum'
const readRows = async (table: string) =>
  (await pool.query(`select ${rowColumns} from ${table} order by minute_at, series_id`)).rows

test('rows of a database from before are the same afterwards, in blocks and in the view', async () => {
  await migrate(
    pool,
    readMigrations().filter(({ name }) => name < '0012'),
  )
  for (const hour of ['09', '10'])
    await pool.query(
      `create table minute_20270115${hour} partition of minute
       for values from ('2027-01-15 ${hour}:00Z') to ('2027-01-15 ${hour}:59:59.999999Z')`,
    )
  // Doubles of all kinds: tiny, huge, denormal, negative, both zeros; whole minutes and single seconds; chunks with gaps and of two tenants.
  await pool.query(
    `insert into minute
     select series_id, 1 + series_id % 2, minute_at, case when series_id % 5 = 0 then 1152921504606846975 else 1::bigint << (series_id % 60) end,
       (array[-0.0, 0, 5e-324, -2.2250738585072014e-308, 1.7976931348623157e308, -123.456, 0.1])[1 + series_id % 7]::float8, random() * 1e6, -random() * 1e-300
     from generate_series(1, 200) as series_id, generate_series('2027-01-15 09:50Z'::timestamptz, '2027-01-15 10:05Z', '1 minute') as minute_at
     where random() < 0.6`,
  )
  const before = await readRows('minute')
  assert.ok(before.length > 1_000)
  await migrate(pool)
  assert.deepEqual(await readRows('minute'), before)
  const blocks = await pool.query('select * from minute_block order by minute_at, chunk, tenant_id')
  const found = blocks.rows.flatMap(({ chunk, tenant_id, minute_at, first, block }) =>
    Array.from({ length: block.length / recordBytes }, (_, index) => {
      const record = readRecord(viewOf(block), index)
      if (record === undefined) return []
      const seen = ((BigInt(record.high) << 30n) | BigInt(record.low)).toString()
      const [min, max, sum] = [record.min, record.max, record.sum].map((value) => {
        const bytes = Buffer.alloc(8)
        bytes.writeDoubleBE(value)
        return bytes
      })
      return [{ series_id: chunk * 32 + first + index, tenant_id, minute_at, seen, min, max, sum }]
    }).flat(),
  )
  assert.deepEqual(
    found.sort((a, b) => a.minute_at.getTime() - b.minute_at.getTime() || a.series_id - b.series_id),
    before,
  )
  const partitions = await pool.query(
    "select relid::text as name from pg_partition_tree('minute_block') where isleaf order by 1",
  )
  assert.deepEqual(
    partitions.rows.map(({ name }) => name),
    ['minute_block_2027011509', 'minute_block_2027011510'],
  )
})

test('what an aggregator of the release before commits while rows move is moved, too', async () => {
  await other.query('create database while_flushing')
  const options = { name: 'flushing', connectionsMax: 3 }
  const flushing = createPool({ ...connection, database: 'while_flushing' }, options, { log: silentLog })
  after(() => flushing.end())
  await migrate(
    flushing,
    readMigrations().filter(({ name }) => name < '0012'),
  )
  await flushing.query(
    `create table minute_2027011509 partition of minute for values from ('2027-01-15 09:00Z') to ('2027-01-15 10:00Z')`,
  )
  const flush = await flushing.connect()
  await flush.query('begin')
  await flush.query(`insert into minute values (40, 1, '2027-01-15 09:50Z', 1, 2, 2, 2)`)
  const migrating = migrate(flushing)
  const waiting = `select from pg_locks where locktype = 'relation' and not granted`
  while ((await flushing.query(waiting)).rowCount === 0);
  await flush.query('commit')
  flush.release()
  await migrating
  assert.deepEqual((await flushing.query('select series_id, max from minute')).rows, [{ series_id: 40, max: 2 }])
})
