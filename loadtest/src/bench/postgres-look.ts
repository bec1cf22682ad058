/** What only Postgres itself knows of a run: which backend serves which pool, and how its disk space is divided. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import pg from 'pg'

export interface DiskPart {
  readonly name: string
  readonly bytes: number
  /** Kept for a bounded time or up to a bounded size, so it does not grow with what is kept. */
  readonly isBounded: boolean
}

const ownName = 'bench'
const portLine = 3
const boundedPart = /^(WAL|sample log)/
const parts: readonly (readonly [RegExp, string])[] = [
  [/^minute/, 'minutes'],
  [/^hour_block/, 'hour blocks'],
  [/^log_record/, 'sample log'],
]

export class PostgresLook {
  readonly #client: pg.Client

  private constructor(client: pg.Client) {
    this.#client = client
  }

  static async at(connectionString: string): Promise<PostgresLook> {
    const client = new pg.Client({ connectionString, application_name: ownName })
    await client.connect()
    return new PostgresLook(client)
  }

  /** The database of an embedded process that runs. */
  static async embedded(dataDir: string): Promise<PostgresLook> {
    const home = join(dataDir, 'database')
    const password = (await readFile(join(home, 'password'), 'utf8')).trim()
    const state = await readFile(join(home, 'cluster', 'postmaster.pid'), 'utf8')
    return PostgresLook.at(`postgres://minutely:${password}@127.0.0.1:${state.split('\n')[portLine]}/minutely`)
  }

  /** Names by pid; not our own. */
  async backends(): Promise<Map<number, string>> {
    const { rows } = await this.#client.query<{ pid: number; application_name: string }>(
      "select pid, application_name from pg_stat_activity where backend_type = 'client backend' and pid <> pg_backend_pid()",
    )
    return new Map(rows.map(({ pid, application_name: name }) => [pid, name.replace(/^minutely-/, '') || 'other']))
  }

  /** Tables and their indexes by what they hold, and the WAL. */
  async disk(): Promise<DiskPart[]> {
    const { rows } = await this.#client.query<{ name: string; table_bytes: number; index_bytes: number }>(
      `select relname as name, pg_table_size(oid)::float8 as table_bytes, pg_indexes_size(oid)::float8 as index_bytes
       from pg_class where relkind = 'r' and relnamespace = 'public'::regnamespace`,
    )
    const wal = await this.#client.query<{ bytes: number }>('select sum(size)::float8 as bytes from pg_ls_waldir()')
    const sums = new Map<string, number>()
    const add = (name: string, bytes: number): void => void sums.set(name, (sums.get(name) ?? 0) + bytes)
    for (const { name, table_bytes: tableBytes, index_bytes: indexBytes } of rows) {
      const part = parts.find(([pattern]) => pattern.test(name))?.[1] ?? 'dictionary and the rest'
      add(`${part}: tables`, tableBytes)
      add(`${part}: indexes`, indexBytes)
    }
    add('WAL', wal.rows[0]?.bytes ?? 0)
    return [...sums].map(([name, bytes]) => ({ name, bytes, isBounded: boundedPart.test(name) }))
  }

  async close(): Promise<void> {
    await this.#client.end()
  }
}
