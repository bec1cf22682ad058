/**
 * The generated minutes in our store as they are some hours later: sealed, a block for each series and hour, written hour by hour by the
 * sealer's own functions, into a data folder that nobody else uses meanwhile.
 */

import { Retention } from '@minutely/aggregator/retention'
import { syncClasses } from '@minutely/aggregator/sealing/retention-classes'
import { ensureTiers, type SealedSeries, TierWriter } from '@minutely/aggregator/sealing/write-sealed'
import { createLogger } from '@minutely/lib/logging'
import { startEmbeddedServer } from '@minutely/lib/postgres/embedded-server'
import { migrate } from '@minutely/lib/postgres/migrate'
import { createPool, inTransaction, type Pool } from '@minutely/lib/postgres/pool'
import { rollUpHour } from '@minutely/schema/day-block/roll-up-hour'
import { HourBlockEncoder } from '@minutely/schema/hour-block/encode-hour-block'
import { createMinuteColumns, minutesPerHour, wholeHalf } from '@minutely/schema/hour-block/minute-columns'
import { seriesIdentity } from '@minutely/schema/series-identity'
import { type FleetShape, generate, metricIdOf, serverIdOf, toMsOf } from './generated-minutes.ts'

const hourMs = 3_600_000
const tenantId = 1

/** @returns bytes of all blocks. */
export async function storeHours(
  dataDir: string,
  shape: FleetShape,
  onProgress: (text: string) => void,
): Promise<number> {
  const server = await startEmbeddedServer({ dataDir, onProgress: () => {} })
  const log = createLogger({ level: 'warn', format: 'auto' })
  const pool = createPool(server.connection, { name: 'queries', connectionsMax: 2 }, { log })
  try {
    await migrate(pool)
    const seriesIds = await storeDictionary(pool, shape)
    const retention = new Retention({ retentionHours: 48, hourRetentionDays: 400, retentionByMetric: [] })
    const tiers = { retention, classes: await syncClasses(pool, retention) }
    const writer = new TierWriter(tiers)
    let bytes = 0
    for (let hour = shape.fromMs / hourMs; hour < toMsOf(shape) / hourMs; hour++) {
      const packed = packHour(hour, shape, seriesIds)
      bytes += packed.reduce((sum, { block }) => sum + block.length, 0)
      await inTransaction(pool, async (client) => {
        await ensureTiers(client, hour, tiers)
        await writer.write(client, { hour, packed, existing: new Map() })
        await client.query(`insert into hour_seal (hour, state, tried_at, rolled) values ($1, 'sealed', now(), true)`, [
          hour,
        ])
      })
      onProgress(`hour ${hour - shape.fromMs / hourMs + 1} of ${shape.hours}`)
    }
    await pool.query('vacuum analyze')
    return bytes
  } finally {
    await pool.end()
    await server.stop()
  }
}

/** Series ids by server, then metric. */
async function storeDictionary(pool: Pool, shape: FleetShape): Promise<number[]> {
  const [first, last] = [new Date(shape.fromMs), new Date(toMsOf(shape))]
  const servers = Array.from({ length: shape.servers }, (_, server) => serverIdOf(server))
  await pool.query('insert into server select $1, unnest($2::text[]), $3, $4', [tenantId, servers, first, last])
  const ids: number[] = []
  for (const serverId of servers) {
    const metricIds = Array.from({ length: shape.metrics }, (_, metric) => metricIdOf(metric))
    const identities = metricIds.map((metricId) =>
      seriesIdentity({ tenantId: String(tenantId), serverId }, { metricId, labels: {} }),
    )
    const { rows } = await pool.query<{ series_id: number }>(
      `insert into series (tenant_id, identity, server_id, metric_id, labels, first_seen_at)
       select $1, identity, $2, metric_id, '{}', $5 from unnest($3::uuid[], $4::text[]) as made (identity, metric_id) returning series_id`,
      [tenantId, serverId, identities, metricIds, first],
    )
    ids.push(...rows.map(({ series_id }) => series_id))
  }
  return ids
}

function packHour(hour: number, { servers, metrics }: FleetShape, seriesIds: readonly number[]): SealedSeries[] {
  const [encoder, columns, made] = [
    new HourBlockEncoder(),
    createMinuteColumns(minutesPerHour),
    { min: 0, max: 0, sum: 0 },
  ]
  columns.seenLow.fill(wholeHalf)
  columns.seenHigh.fill(wholeHalf)
  const packed: SealedSeries[] = []
  for (let server = 0; server < servers; server++) {
    for (let metric = 0; metric < metrics; metric++) {
      for (let minute = 0; minute < minutesPerHour; minute++) {
        generate({ server, metric }, hour * minutesPerHour + minute, made)
        columns.min[minute] = made.min
        columns.max[minute] = made.max
        columns.sum[minute] = made.sum
      }
      const seriesId = seriesIds[server * metrics + metric] as number
      const block = encoder.encode(columns, 0)
      const counts = { minuteCount: minutesPerHour, newMinuteCount: minutesPerHour }
      packed.push({ seriesId, tenantId, block, rolled: rollUpHour(columns), ...counts })
    }
  }
  return packed
}
