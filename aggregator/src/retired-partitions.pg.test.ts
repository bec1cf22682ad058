import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createTestDatabase } from '@minutely/lib/postgres/test-database'
import { retirePartitions } from './retired-partitions.ts'

test('a partition that the log no longer has is forgotten, unless it was written lately', async () => {
  const { pool } = await createTestDatabase()
  await pool.query(
    `insert into partition_progress (topic, partition, position, complete_through_at, updated_at)
     select topic, partition, 0, now(), now() - make_interval(mins => age) from (values
       ('kept', 0, 60), ('kept', 1, 60), ('gone', 0, 60), ('young', 0, 1)) as row (topic, partition, age)`,
  )
  await pool.query(`insert into partition_run select topic, partition, 0, updated_at from partition_progress`)
  const existing = [
    { topic: 'kept', partition: 0 },
    { topic: 'other', partition: 1 },
  ]
  const retired = await retirePartitions({ partitions: async () => existing }, pool)
  assert.deepEqual(retired.sort(), ['gone/0', 'kept/1'])
  const { rows } = await pool.query('select topic, partition from partition_progress order by topic')
  assert.deepEqual(rows, [
    { topic: 'kept', partition: 0 },
    { topic: 'young', partition: 0 },
  ])
  const runs = await pool.query('select topic, partition from partition_run order by topic')
  assert.deepEqual(runs.rows, rows)
})

test('without an answer of the log nothing is forgotten', async () => {
  const { pool } = await createTestDatabase()
  await pool.query(`insert into partition_progress values ('kept', 0, 0, now(), now() - interval '1 hour')`)
  const failing = { partitions: () => Promise.reject(new Error('no broker')) }
  await assert.rejects(retirePartitions(failing, pool), /no broker/)
  assert.equal((await pool.query('select from partition_progress')).rowCount, 1)
})
