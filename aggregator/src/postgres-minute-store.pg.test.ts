import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createPool } from '@minutely/lib/postgres/pool'
import { createTestDatabase, silentLog } from '@minutely/lib/postgres/test-database'
import { storedTable } from './minute-model.ts'
import { minuteStoreContract } from './minute-store-contract.ts'
import { PostgresMinuteStore } from './postgres-minute-store.ts'
import { createTestSealer } from './sealing/test-sealing.ts'

/** After every hour of the contract. */
const laterMs = Date.UTC(2027, 0, 15, 20)
const tables = ['partition_progress', 'minute_block', 'series', 'server', 'log_gap']

minuteStoreContract('postgres', {
  create: async () => {
    const { pool } = await createTestDatabase()
    return {
      open: () => new PostgresMinuteStore(pool),
      table: () => storedTable(pool),
      seal: async () => {
        const sealer = createTestSealer(pool)
        await pool.query('update partition_progress set complete_through_at = $1', [new Date(laterMs)])
        await pool.query("update hour_seal set tried_at = 'epoch'")
        await sealer.look()
        await sealer.stop()
      },
      snapshot: async () => {
        for (const table of tables) await pool.query(`create table kept_${table} as select * from ${table}`)
        return async () => {
          for (const table of tables) {
            await pool.query(`delete from ${table}`)
            await pool.query(`insert into ${table} overriding system value select * from kept_${table}`)
          }
        }
      },
    }
  },
})

test('a version that is gone is noticed whatever way of writing dates the database prefers', async () => {
  const { pool, connection } = await createTestDatabase()
  await pool.query(`alter database ${connection.database} set datestyle = 'German'`)
  const german = createPool(connection, { name: 'german', connectionsMax: 1 }, { log: silentLog })
  const store = new PostgresMinuteStore(german)
  const partition = { topic: 'samples', partition: 0 }
  const version = await store.beginProgress(partition, { position: 5, completeThroughMs: 60_000, anchor: undefined })
  assert.equal((await store.readProgress(partition, version)).isBehind, false)
  await pool.query('delete from partition_progress')
  assert.equal((await store.readProgress(partition, version)).isBehind, true)
  await german.end()
})
