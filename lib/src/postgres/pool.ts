/**
 * Connections to Postgres. Kinds: the writer's (owner of the tables) and the reader's, which works as role
 * minutely_query for one tenant, so that rows of others stay unseen, and nothing is written, whatever a query of ours
 * forgets. It is no guard against SQL that is not ours: `set role` would lift it. Beside them the annotator's, as role
 * minutely_annotate: it adds and removes the annotations of one tenant, and can touch nothing else.
 * Timeouts: statement 30 s (writer) or 10 s (others), lock 10 s, idle in transaction 5 s.
 */
import assert from 'node:assert/strict'
import pg from 'pg'
import type { Logger } from '../logging.ts'

export interface PostgresConnection {
  readonly host: string
  readonly port?: number
  readonly user: string
  readonly password: string
  readonly database: string
  /** Without it nothing is encrypted. */
  readonly ssl?: { readonly rejectUnauthorized: boolean }
}

export interface PoolOptions {
  /** Shown in pg_stat_activity. */
  readonly name: string
  readonly connectionsMax: number
  /** Given for readers. */
  readonly readAsTenantId?: number
  /** Given for annotators. */
  readonly annotateAsTenantId?: number
  readonly statementTimeoutMs?: number
}

export type Pool = pg.Pool
export type PoolClient = pg.PoolClient

export function createPool(connection: PostgresConnection, options: PoolOptions, deps: { log: Logger }): Pool {
  const { readAsTenantId, annotateAsTenantId } = options
  const isReader = readAsTenantId !== undefined
  const tenantId = readAsTenantId ?? annotateAsTenantId
  const settings = [
    `-c statement_timeout=${options.statementTimeoutMs ?? (tenantId === undefined ? 30_000 : 10_000)}`,
    '-c lock_timeout=10000',
    '-c idle_in_transaction_session_timeout=5000',
    // Instants as text are compared (aggregator/src/partition-progress.ts).
    '-c timezone=UTC',
    '-c datestyle=ISO',
    '-c client_min_messages=warning',
  ]
  if (tenantId !== undefined) {
    settings.push(`-c role=${isReader ? 'minutely_query' : 'minutely_annotate'}`, `-c minutely.tenant_id=${tenantId}`)
  }
  if (isReader) settings.push('-c default_transaction_read_only=on')
  const pool = new pg.Pool({
    ...connection,
    application_name: `minutely-${options.name}`,
    max: options.connectionsMax,
    connectionTimeoutMillis: 10_000,
    idleTimeoutMillis: 60_000,
    // A server that vanished without a word is noticed in minutes, not hours.
    keepAlive: true,
    options: settings.join(' '),
  })
  // An idle connection that breaks is replaced on the next use; without a listener it would end the process.
  pool.on('error', (error) => {
    // Only the words: pg hangs the whole client on the error.
    if (!pool.ending) deps.log.warn({ pool: options.name, reason: error.message }, 'an idle Postgres connection broke')
  })
  // So would one that breaks between the statements of whoever holds it; their next statement fails and tells them.
  pool.on('connect', (client) => client.on('error', () => {}))
  return pool
}

/** Runs work in a transaction; rolls back and rethrows when it throws. A client whose rollback fails is thrown away. */
export async function inTransaction<T>(pool: Pool, work: (client: PoolClient) => Promise<T>): Promise<T> {
  const client = await pool.connect()
  let broken: Error | undefined
  try {
    await client.query('begin')
    const result = await work(client)
    // Postgres answers the commit of a failed transaction with ROLLBACK rather than an error.
    const { command } = await client.query('commit')
    assert(command === 'COMMIT', 'BUG: a failed statement was ignored, its transaction was rolled back')
    return result
  } catch (error) {
    await client.query('rollback').catch((failure: Error) => {
      broken = failure
    })
    throw error
  } finally {
    client.release(broken)
  }
}
