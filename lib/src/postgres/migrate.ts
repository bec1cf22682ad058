/**
 * Brings a database to the newest schema: the numbered files of schema/sql, each once, in order. All that are missing are
 * one transaction, so that a version is there as a whole or not at all, under an advisory lock, so that several
 * processes may start at once. A file that was applied must never change; its hash is kept and compared. A database
 * newer than this code (unknown migrations) is refused.
 *
 * How long a statement, or the wait for another process, may take is not bounded here as it is for the rest of the pool:
 * an index of a large table must not make the new version unable to start. A lock on a table is, since it queues up the work
 * of whoever runs already.
 */
import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { inTransaction, type Pool } from './pool.ts'

const sqlFolder = new URL('../../../schema/sql/', import.meta.url)
/** Any constant: one lock for all migrations of Minutely. */
const advisoryLock = 7_070_001
const lockTimeoutMs = 10_000

interface Migration {
  readonly name: string
  readonly sql: string
  readonly hash: string
}

export function readMigrations(): Migration[] {
  return readdirSync(sqlFolder)
    .filter((name) => /^\d{4}-.*\.sql$/.test(name))
    .sort()
    .map((name) => {
      // A checkout may have other line ends, the hash must not.
      const sql = readFileSync(new URL(name, sqlFolder), 'utf8').replaceAll('\r\n', '\n')
      return { name, sql, hash: createHash('sha256').update(sql).digest('hex') }
    })
}

/** @returns the names of the migrations that were applied now. */
export async function migrate(pool: Pool, migrations: readonly Migration[] = readMigrations()): Promise<string[]> {
  return inTransaction(pool, async (client) => {
    // Of this transaction only.
    await client.query(`set local statement_timeout = 0; set local lock_timeout = 0`)
    await client.query('select pg_advisory_xact_lock($1)', [advisoryLock])
    await client.query(`set local lock_timeout = ${lockTimeoutMs}`)
    await client.query(
      'create table if not exists migration (name text primary key, hash text not null, applied_at timestamptz not null default now())',
    )
    const { rows } = await client.query<{ name: string; hash: string }>('select name, hash from migration')
    const appliedHashes = new Map(rows.map(({ name, hash }) => [name, hash]))
    refuseForeign(appliedHashes, migrations)
    const applied: string[] = []
    for (const migration of migrations) {
      if (appliedHashes.has(migration.name)) continue
      await client.query(migration.sql).catch((error: Error) => {
        throw new Error(`Migration ${migration.name} failed, the database is as it was: ${error.message}`, {
          cause: error,
        })
      })
      await client.query('insert into migration (name, hash) values ($1, $2)', [migration.name, migration.hash])
      applied.push(migration.name)
    }
    return applied
  })
}

function refuseForeign(appliedHashes: ReadonlyMap<string, string>, migrations: readonly Migration[]): void {
  const known = new Map(migrations.map(({ name, hash }) => [name, hash]))
  for (const [name, hash] of appliedHashes) {
    if (!known.has(name)) {
      throw new Error(
        `This database has migration ${name}, which this version of Minutely does not know; run the newer version`,
      )
    }
    if (known.get(name) !== hash) {
      throw new Error(
        `Migration ${name} was changed after it was applied to this database; migrations are only ever added`,
      )
    }
  }
}
