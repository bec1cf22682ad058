/**
 * Adopts the simulated Redis when the ring is void or in another one, and fills it from the database: the moves of
 * aggregator/src/ring-repair.ts, in its order (read the identity, then completeThrough, then rows, then push), as a process of
 * its own.
 */

import type { RingIdentity } from '@minutely/lib/recent-ring/recent-ring'
import { minuteMs } from '@minutely/schema/limits'
import type { StoredMinute } from '@minutely/schema/minute-block/minute-block'
import type { SimDatabase } from './sim-database.ts'
import { nextEpoch } from './sim-minute-store.ts'
import type { SimProcess } from './sim-process.ts'
import type { RingState, SimRedis } from './sim-redis.ts'
import { completeThroughMs, ringKey, ringRow, type SeriesRow, seriesPrefix } from './sim-tables.ts'
import { allMinutes } from './sim-tiers.ts'

const lookEveryMs = 5_000

export interface RingRepairDeps {
  readonly database: SimDatabase
  readonly redis: SimRedis
  readonly process: SimProcess
}

export async function repairRing({ database, redis, process }: RingRepairDeps): Promise<void> {
  let lastEpoch = 0
  for (;;) {
    await process.clock.sleep(lookEveryMs)
    try {
      const { generation } = redis
      const identity = await adopt({ database, redis, process }, lastEpoch)
      if (identity === undefined) continue
      lastEpoch = Number(identity.epoch)
      await fill(identity, generation, { database, redis, process })
    } catch {
      // Another look.
    }
  }
}

/** @returns the new identity when there is one. */
function adopt(deps: RingRepairDeps, lastEpoch: number): Promise<RingIdentity | undefined> {
  const { database, redis, process } = deps
  return database.single(process, 'adopt ring', async (transaction) => {
    await transaction.lock(ringKey)
    const row = ringRow(transaction)
    if (row.runId === redis.runId && Number(row.epoch) >= lastEpoch) return undefined
    const adopted = { epoch: nextEpoch(row, database), runId: redis.runId }
    transaction.put(ringKey, adopted)
    database.world.note(process.name, `adopts ${adopted.runId} as ${adopted.epoch}`)
    return adopted
  })
}

async function fill({ epoch }: RingIdentity, generation: number, deps: RingRepairDeps): Promise<void> {
  const { database, redis, process } = deps
  const beforeMs = await database.single(process, 'read progress', () => completeThroughMs(database))
  const rows = await database.single(process, 'read minutes', () => {
    const tags = new Map(database.entries<SeriesRow>(seriesPrefix).map(([, row]) => [row.seriesId, row.tag]))
    return allMinutes(database).flatMap(({ seriesId, atMs: startMs, minute }) => {
      const tag = tags.get(seriesId)
      if (tag === undefined || startMs + minuteMs > beforeMs) return []
      return [{ key: { epoch, seriesId, tag, minute: startMs / minuteMs }, state: ringStateOf(minute) }]
    })
  })
  await process.call(() => database.world.delay(database.world.random.skewed(2_000)))
  if (redis.generation !== generation) return
  for (const { key, state } of rows) redis.put(key, state)
  database.world.note(process.name, `filled the ring with ${rows.length} rows`)
}

/** Halves of 30 bits to halves of 32 and 28. */
export function ringStateOf({ low, high, min, max, sum }: StoredMinute): RingState {
  return { seenLow: (low | (high << 30)) >>> 0, seenHigh: high >>> 2, min, max, sum }
}
