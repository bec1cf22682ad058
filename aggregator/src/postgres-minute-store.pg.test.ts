import { createTestDatabase } from '@minutely/lib/postgres/test-database'
import { storedTable } from './minute-model.ts'
import { minuteStoreContract } from './minute-store-contract.ts'
import { PostgresMinuteStore } from './postgres-minute-store.ts'

const tables = ['partition_progress', 'minute', 'series', 'server', 'log_gap']

minuteStoreContract('postgres', {
  create: async () => {
    const { pool } = await createTestDatabase()
    return {
      open: () => new PostgresMinuteStore(pool),
      table: () => storedTable(pool),
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
