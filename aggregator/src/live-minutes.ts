/** Minutes of one server as live events carry them: open ones (provisional) and those just stored. */
import type { LiveWriter, ServerKey } from '@minutely/lib/live/live-channel'
import type { Logger } from '@minutely/lib/logging'
import { minuteMs, secondsPerMinute } from '@minutely/schema/limits'
import type { LiveMinute } from '@minutely/schema/query-wire'
import type { PartitionConsumer } from './consume.ts'
import type { OpenMinute } from './open-minute.ts'
import { bitCount, rollUp } from './roll-up.ts'
import type { SeriesSlots, ServerSlots } from './series-slots.ts'

/** The minutes of a server that are not stored yet, as they are now, oldest first. Of a reopened one this is only a part. */
export function openMinutesOf(consumer: PartitionConsumer, key: ServerKey): LiveMinute[] {
  const server = consumer.slots.server(key.tenantId, key.serverId)
  if (server === undefined) return []
  // Those being stored are in neither place until the transaction commits, which may take as long as an outage.
  return [...consumer.storing, ...consumer.windows.open]
    .filter(({ reopened }) => !reopened)
    .map((minute) => liveMinute(consumer, server, minute, true))
    .filter(({ series }) => series.length > 0)
}

/**
 * Tells viewers of minutes that have just been stored. Not of those of which this is only a part, and not of those that
 * were given out early and are not closed: a viewer reads the range again. A viewer's trouble is no reason not to commit.
 */
export function publishMinutes(
  consumer: PartitionConsumer,
  stored: readonly OpenMinute[],
  { live, log }: { live: LiveWriter; log: Logger },
): void {
  try {
    publish(consumer, stored, live)
  } catch (error) {
    log.warn({ err: error }, 'viewers were not told of a minute')
  }
}

function publish(consumer: PartitionConsumer, stored: readonly OpenMinute[], live: LiveWriter): void {
  if (live.watchedCount === 0) return
  for (const minute of stored) {
    if (minute.reopened || minute.minuteMs + minuteMs > consumer.completeThroughMs) continue
    for (const server of serversIn(minute, consumer.slots)) {
      if (live.isWatched(server)) live.publish(server, liveMinute(consumer, server, minute, false))
    }
  }
}

function serversIn(minute: OpenMinute, slots: SeriesSlots): Set<ServerSlots> {
  const servers = new Set<ServerSlots>()
  for (let row = 0; row < minute.rowCount; row++) servers.add(slots.entry(minute.slots[row] as number).server)
  return servers
}

function liveMinute(
  consumer: PartitionConsumer,
  server: ServerSlots,
  minute: OpenMinute,
  provisional: boolean,
): LiveMinute {
  const series: LiveMinute['series'] = []
  for (const slot of server.slotByKey.values()) {
    const row = minute.rowOf(slot)
    if (row < 0) continue
    const values = minute.values.subarray(row * secondsPerMinute, (row + 1) * secondsPerMinute)
    const rolled = rollUp({ rowCount: 1, values })
    const sum = rolled.sum[0] as number
    const count = bitCount(rolled.seenLow[0] as number) + bitCount(rolled.seenHigh[0] as number)
    const { metricId, labels } = consumer.slots.entry(slot).series
    series.push({
      metricId,
      labels: { ...labels },
      min: rolled.min[0] as number,
      max: rolled.max[0] as number,
      avg: sum / count,
      sum,
      count,
    })
  }
  const { serverId } = server
  return { serverId, minuteMs: minute.minuteMs, provisional, completeThroughMs: consumer.completeThroughMs, series }
}
