/**
 * Brings a database to the newest schema: the numbered files of schema/sql, each once, in order, in a transaction of its own, under
 * an advisory lock so that several processes may start at once. A file that was applied must never change; its hash is
 * kept and compared. A database newer than this code (unknown migrations) is refused.
 */
import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { inTransaction, type Pool } from './pool.ts'

const sqlFolder = new URL('../../../schema/sql/', import.meta.url)
/** Any constant: one lock for all migrations of Minutely. */
const advisoryLock = 7_070_001

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
      const sql = readFileSync(new URL(name, sqlFolder), 'utf8')
      return { name, sql, hash: createHash('sha256').update(sql).digest('hex') }
    })
}

/** @returns the names of the migrations that were applied now. */
export async function migrate(pool: Pool, migrations: readonly Migration[] = readMigrations()): Promise<string[]> {
  return inTransaction(pool, async (client) => {
    await client.query('select pg_advisory_xact_lock($1)', [advisoryLock])
    await client.query(
      'create table if not exists migration (name text primary key, hash text not null, applied_at timestamptz not null default now())',
    )
    const { rows } = await client.query<{ name: string; hash: string }>('select name, hash from migration')
    const appliedHashes = new Map(rows.map(({ name, hash }) => [name, hash]))
    refuseForeign(appliedHashes, migrations)
    const applied: string[] = []
    for (const migration of migrations) {
      if (appliedHashes.has(migration.name)) continue
      await client.query(migration.sql)
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
