/** What PostgreSQL has about one minute of one series, for a person who wonders why a reader was told something else. */
import { createLogger } from '@minutely/lib/logging'
import { createPool, type Pool } from '@minutely/lib/postgres/pool'

export interface EvidenceOf {
  readonly serverId: string
  readonly metricId: string
  readonly minuteMs: number
}

/** Straight to the server at an address, beside any gate. */
export async function openAdmin(address: string): Promise<Pool> {
  const { hostname: host, port, username: user, password, pathname } = new URL(address)
  const connection = { host, port: Number(port), user, password, database: pathname.slice(1) }
  return createPool(
    connection,
    { name: 'chaos', connectionsMax: 1 },
    { log: createLogger({ level: 'fatal', format: 'json' }) },
  )
}

/** A few lines: its row, the ring's identity, and how far each partition is. @throws when PostgreSQL cannot be asked. */
export async function storeEvidence(address: string, { serverId, metricId, minuteMs }: EvidenceOf): Promise<string[]> {
  const admin = await openAdmin(address)
  const linesOf = async (sql: string, values: readonly unknown[] = []): Promise<string[]> =>
    (await admin.query<{ line: string }>(sql, [...values])).rows.map(({ line }) => line)
  try {
    return [
      ...(await linesOf(
        `select 'stored: series ' || series_id || ', seen ' || reverse(substr(seen::bit(64)::text, 5)) || ', sum ' || sum as line
         from minute join series using (series_id)
         where server_id = $1 and metric_id = $2 and minute_at = to_timestamp($3 / 1000.0)`,
        [serverId, metricId, minuteMs],
      )),
      ...(await linesOf(`select 'ring: ' || ring_state::text as line from ring_state`)),
      ...(await linesOf(`select 'progress: ' || partition_progress::text as line from partition_progress order by 1`)),
    ]
  } finally {
    await admin.end()
  }
}
