/**
 * How the fleet is, at an instant of complete-through: how many servers were seen when, and how many samples came. A server's last seen is the
 * end of its newest stored minute, so what was seen at complete-through or later has a sample in the newest closed minute.
 */
import { ingestMetrics, ingestServerId } from '@minutely/schema/ingest-names'
import { minuteMs } from '@minutely/schema/limits'
import type { LiveProgress } from '@minutely/schema/live-wire'
import { isNotOwn } from './servers.ts'
import type { StoreSession } from './store-session.ts'

/** How long a server may lag before it counts as silent: a slow agent catches up in a minute or two. */
const lateMs = 2 * minuteMs

export type FleetSummary = Pick<LiveProgress, 'servers' | 'samplesPerMinute'>

export const unknownFleet: FleetSummary = { servers: null, samplesPerMinute: null }

export async function readFleetSummary(completeThroughMs: number, session: StoreSession): Promise<FleetSummary> {
  const completeMs = Math.floor(completeThroughMs / minuteMs) * minuteMs
  const { rows } = await session.client.query<{ total: number; live: number; recent: number }>(
    `select count(*)::integer as total,
            (count(*) filter (where last_seen_at >= to_timestamp($1 / 1000.0)))::integer as live,
            (count(*) filter (where last_seen_at >= to_timestamp($2 / 1000.0)))::integer as recent
     from server where ${isNotOwn}`,
    [completeMs, completeMs - lateMs],
  )
  const { total = 0, live = 0, recent = 0 } = rows[0] ?? {}
  const samplesPerMinute = await readAccepted(completeMs - minuteMs, session)
  return { servers: { total, live, late: recent - live, silent: total - recent }, samplesPerMinute }
}

/** Null when nobody reported. */
async function readAccepted(minuteAtMs: number, session: StoreSession): Promise<number | null> {
  const { rows } = await session.client.query<{ series_id: number }>(
    "select series_id from series where server_id = $1 and metric_id = $2 and labels ->> 'outcome' = 'accepted'",
    [ingestServerId, ingestMetrics.samples],
  )
  const seriesIds = rows.map(({ series_id }) => series_id)
  let total: number | null = null
  await session.readMinutes({ seriesIds, fromMs: minuteAtMs, toMs: minuteAtMs + minuteMs }, (_, __, { sum }) => {
    total = (total ?? 0) + sum
  })
  return total
}
