import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Pool } from '@minutely/lib/postgres/pool'
import { createTestDatabase } from '@minutely/lib/postgres/test-database'
import { MinutePartitions } from './minute-partitions.ts'

const hourMs = 3_600_000
const nineMs = Date.UTC(2027, 0, 15, 9)

async function namesOf(pool: Pool): Promise<string[]> {
  const { rows } = await pool.query(
    `select relname from pg_inherits join pg_class on pg_class.oid = inhrelid
     where inhparent = 'minute_block'::regclass order by relname`,
  )
  return rows.map(({ relname }) => relname)
}

test('an hour gets its partition once, whichever of its minutes asks', async () => {
  const { pool } = await createTestDatabase()
  const partitions = new MinutePartitions(pool)
  await partitions.ensure(nineMs)
  await partitions.ensure(nineMs + 59 * 60_000)
  await partitions.ensure(nineMs + hourMs)
  await partitions.ensure(nineMs - 60_000)
  assert.deepEqual(await namesOf(pool), [
    'minute_block_2027011508',
    'minute_block_2027011509',
    'minute_block_2027011510',
  ])
})

test('many processes may make the same one at the same time', async () => {
  const { pool } = await createTestDatabase()
  await Promise.all(Array.from({ length: 8 }, () => new MinutePartitions(pool).ensure(nineMs)))
  assert.deepEqual(await namesOf(pool), ['minute_block_2027011509'])
})

test('retention drops whole hours only: none that has a minute which must stay', async () => {
  const { pool } = await createTestDatabase()
  const partitions = new MinutePartitions(pool)
  for (const hour of [-1, 0, 1]) await partitions.ensure(nineMs + hour * hourMs)
  assert.deepEqual(await partitions.dropBefore(nineMs - 1), [])
  assert.deepEqual(await partitions.dropBefore(nineMs), ['minute_block_2027011508'])
  assert.deepEqual(await partitions.dropBefore(nineMs + hourMs - 1), [])
  assert.deepEqual(await namesOf(pool), ['minute_block_2027011509', 'minute_block_2027011510'])
})

test('an hour that was dropped is made again when it is needed', async () => {
  const { pool } = await createTestDatabase()
  const partitions = new MinutePartitions(pool)
  await partitions.ensure(nineMs)
  await partitions.dropBefore(nineMs + hourMs)
  await partitions.ensure(nineMs)
  assert.deepEqual(await namesOf(pool), ['minute_block_2027011509'])
})

test('a table that is no hour of ours is left alone', async () => {
  const { pool } = await createTestDatabase()
  await pool.query(
    "create table minute_archive partition of minute_block for values from ('2020-01-01') to ('2020-01-02')",
  )
  assert.deepEqual(await new MinutePartitions(pool).dropBefore(nineMs), [])
})
