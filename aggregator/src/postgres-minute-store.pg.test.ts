import { createTestDatabase } from '@minutely/lib/postgres/test-database'
import { storedTable } from './minute-model.ts'
import { minuteStoreContract } from './minute-store-contract.ts'
import { PostgresMinuteStore } from './postgres-minute-store.ts'
import { createTestSealer } from './sealing/test-sealing.ts'

/** After every hour of the contract. */
const laterMs = Date.UTC(2027, 0, 15, 20)
const tables = ['partition_progress', 'minute', 'series', 'server', 'log_gap']

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
