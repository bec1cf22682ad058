import assert from 'node:assert/strict'
import { test } from 'node:test'
import { AdvisoryLeader } from './advisory-leader.ts'
import { createTestDatabase } from './test-database.ts'

const lock = 7

test('one of them leads, on one connection, until it steps down or loses it; others of another lock are not concerned', async () => {
  const { pool } = await createTestDatabase()
  const [one, other, elsewhere] = [lock, lock, lock + 1].map((each) => new AdvisoryLeader(each, { pool }))
  assert(one && other && elsewhere)
  const client = await one.lead()
  assert.ok(client)
  assert.equal(await other.lead(), undefined)
  assert.equal(await one.lead(), client, 'the same connection')
  assert.ok(await elsewhere.lead())
  one.stepDown()
  one.stepDown()
  assert.ok(await waitFor(other), 'its turn')

  const { rows } = await pool.query<{ pid: number }>(
    `select pid from pg_locks where locktype = 'advisory' and objid = ${lock} and granted`,
  )
  await pool.query('select pg_terminate_backend($1)', [rows[0]?.pid])
  await assert.rejects(async () => {
    for (;;) await other.lead()
  })
  other.stepDown()
  assert.ok(await waitFor(one))
  for (const each of [one, elsewhere]) each.stepDown()
})

/** The server frees the lock of a connection that ended a moment later. */
async function waitFor(leader: AdvisoryLeader): Promise<unknown> {
  for (;;) {
    const client = await leader.lead()
    if (client !== undefined) return client
  }
}
